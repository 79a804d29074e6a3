#pragma once
// The header screen: pure reading of image headers from bytes. Allow-list, never probing.
// Source of the format: QEMU docs/interop/qcow2.txt.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::image {

enum class Format { raw, qcow2 };
std::string_view to_string(Format format);
/// "raw" or "qcow2"; anything else is Errc::refused naming the format and the remedy (qemu-img convert).
Result<Format> parse_format(std::string_view text);

struct Qcow2Header {
  std::uint32_t version = 0;  ///< 2 or 3
  std::uint32_t cluster_bits = 0;
  std::uint64_t virtual_size = 0;      ///< bytes
  std::string backing_name;            ///< as stored, empty = none; hostile text
  std::optional<std::string> backing_format;  ///< header extension 0xE2792ACA
  std::uint64_t incompatible_features = 0;
  std::uint64_t compatible_features = 0;
  bool zstd = false;  ///< compressed clusters are zstd, not zlib
  std::uint32_t snapshot_count = 0;
  std::uint64_t snapshots_offset = 0;
};

/// Parses and screens the first bytes of a qcow2 file (give at least 64 KiB or the whole file). Refused, each with its
/// own message and remedy: not qcow2, version other than 2/3, encryption, external data file (bit or extension),
/// corrupt bit, dirty bit, unknown incompatible bit, cluster size outside 512 B..2 MiB, tables outside the file,
/// virtual size of 0 or above `max_virtual_size`, backing name longer than 1023 bytes or containing NUL,
/// backing name with a protocol ("json:", "nbd:", "file:", any "scheme:" before a slash), extensions that overrun.
Result<Qcow2Header> parse_qcow2_header(std::string_view first_bytes, std::uint64_t file_size,
                                       std::uint64_t max_virtual_size);

}  // namespace vmpatch::image
