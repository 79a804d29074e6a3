// Entry of vm-patch-nbd.so, which is loaded when a change is first copied or compared: see late/extents.cpp.
#include "image/nbd/extents_plugin.hpp"

extern "C" const vmpatch::image::ExtentFunctions* vmpatch_extent_functions() {
  static const vmpatch::image::ExtentFunctions functions{&vmpatch::image::held_extents, &vmpatch::image::data_extents,
                                                         &vmpatch::image::copy_extents, &vmpatch::image::compare_extents, &vmpatch::image::differing_extents,
                                                         &vmpatch::image::relate_extents,
                                                         &vmpatch::image::digest_extents};
  return &functions;
}
