// Entry of vm-patch-libvirt.so, which is loaded when libvirt is first needed: see late/libvirt.cpp.
#include "vmpatch/inventory/source.hpp"

extern "C" vmpatch::inventory::Source* vmpatch_make_libvirt_source(const char* uri, vmpatch::Log* log) {
  return vmpatch::inventory::make_libvirt_source(uri, *log).release();
}
