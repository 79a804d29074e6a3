#pragma once
// What vm-patch-nbd.so gives to late/extents.cpp.

#include "vmpatch/image/extents.hpp"

namespace vmpatch::image {

struct ExtentFunctions {
  decltype(&held_extents) held;
  decltype(&data_extents) data;
  decltype(&copy_extents) copy;
  decltype(&compare_extents) compare;
  decltype(&differing_extents) differing;
  decltype(&relate_extents) relate;
  decltype(&digest_extents) digest;
};

}  // namespace vmpatch::image
