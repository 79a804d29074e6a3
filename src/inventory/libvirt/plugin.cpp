// Entries of vm-patch-libvirt.so, which is loaded when libvirt is first needed: see late/libvirt.cpp.
#include "vmpatch/inventory/control.hpp"
#include "vmpatch/inventory/source.hpp"

extern "C" vmpatch::inventory::Source* vmpatch_make_libvirt_source(const char* uri, vmpatch::Log* log) {
  return vmpatch::inventory::make_libvirt_source(uri, *log).release();
}

extern "C" vmpatch::inventory::Control* vmpatch_make_libvirt_control(const char* uri, vmpatch::Log* log) {
  return vmpatch::inventory::make_libvirt_control(uri, *log).release();
}
