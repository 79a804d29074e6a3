#include "guest/guestfs/bounded_qemu.hpp"

#include "guest/guestfs/script.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::guestfs {
namespace {

/// MiB. A start of the appliance and a run of dpkg with its scripts stay below it; what does not fit is translated again.
constexpr int translated_code = 192;

}  // namespace

std::string bounded_qemu_script(const std::string& qemu) {
  return fmt::format(R"(#!/bin/sh
last= bounded=
for word; do
  shift
  case "$last $word" in
    "-machine "*accel=tcg*) word="${{word%%accel=tcg*}}usb=off${{word#*accel=tcg}}" bounded=yes ;;
  esac
  set -- "$@" "$word"
  last=$word
done
[ -z "$bounded" ] || set -- "$@" -accel tcg,tb-size={}
exec {} "$@"
)",
                     translated_code, quote(qemu));
}

Result<std::filesystem::path> make_bounded_qemu(const std::filesystem::path& folder, const std::string& qemu) {
  auto path = folder / "qemu";
  VMPATCH_CHECK(write_file_atomic(path, bounded_qemu_script(qemu), 0700));
  return path;
}

}  // namespace vmpatch::guest::guestfs
