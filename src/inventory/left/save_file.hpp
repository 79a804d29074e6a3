#pragma once
// The head of a file with a machine's memory, as libvirt's QEMU driver writes it (src/qemu/qemu_saveimage.h, versions 1 and 2): magic
// of 16 bytes, another one while it is not whole; version, length of data, was_running, format, offset of a cookie, 14 unused, each
// 32 bits in the host's order; then the data: domain XML, a NUL byte, and what libvirt keeps beside it. The memory follows.

#include <cstdint>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::inventory {

/// Enough of the file's beginning for any XML that is parsed at all.
constexpr std::uint64_t save_file_head = 92 + (4U << 20U) + 1;

/// Pure: the domain XML in `bytes`, which are the first save_file_head of the file or all of it; not parsed. Errc::failed: they are no
/// such head; `name` is for messages.
Result<std::string_view> find_saved_xml(std::string_view bytes, std::string_view name);

}  // namespace vmpatch::inventory
