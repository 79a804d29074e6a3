#include "vmpatch/image/header.hpp"

#include <algorithm>

#include "image/big_endian.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

using namespace qcow2;

constexpr std::string_view broken = "the file is damaged or forged; restore it or check it with qemu-img check";

// Offset and length come from the file, so their sum may wrap.
bool inside(std::uint64_t offset, std::uint64_t length, std::uint64_t limit) {
  return offset <= limit && length <= limit - offset;
}

Result<void> check_version_and_size(std::string_view bytes, std::uint64_t max_virtual_size, Qcow2Header& header) {
  if (bytes.size() < v2_header_size || read_be<std::uint32_t>(bytes, at_magic) != magic) {
    return fail(Errc::refused, "not a qcow2 image; name its real format (raw?) in the machine's XML or with --format");
  }
  header.version = read_be<std::uint32_t>(bytes, at_version);
  if (header.version != 2 && header.version != 3) {
    return fail(Errc::refused, "qcow2 version {} is not known; convert it with qemu-img convert -O qcow2",
                header.version);
  }
  if (header.version == 3 && bytes.size() < v3_header_size) {
    return fail(Errc::refused, "qcow2 header is cut off after {} bytes; {}", bytes.size(), broken);
  }
  header.cluster_bits = read_be<std::uint32_t>(bytes, at_cluster_bits);
  if (header.cluster_bits < min_cluster_bits || header.cluster_bits > max_cluster_bits) {
    return fail(Errc::refused, "qcow2 cluster size 2^{} is outside 512 B to 2 MiB; {}", header.cluster_bits, broken);
  }
  header.virtual_size = read_be<std::uint64_t>(bytes, at_virtual_size);
  if (header.virtual_size == 0) {
    return fail(Errc::refused, "qcow2 virtual size is 0; a disk without content cannot be patched");
  }
  if (header.virtual_size > max_virtual_size) {
    return fail(Errc::refused, "qcow2 virtual size of {} is above the limit of {}; raise the limit if the disk is real",
                format_size(header.virtual_size), format_size(max_virtual_size));
  }
  return {};
}

Result<void> check_features(std::string_view bytes, Qcow2Header& header) {
  if (const auto method = read_be<std::uint32_t>(bytes, at_crypt_method); method != 0) {
    return fail(Errc::refused, "qcow2 encryption (method {}) is not supported; convert it with qemu-img convert", method);
  }
  if (header.version == 2) return {};
  header.incompatible_features = read_be<std::uint64_t>(bytes, at_incompatible);
  header.compatible_features = read_be<std::uint64_t>(bytes, at_compatible);
  const auto bits = header.incompatible_features;
  if ((bits & incompatible_data_file) != 0) {
    return fail(Errc::refused, "qcow2 external data file is not allowed; convert it with qemu-img convert -O qcow2");
  }
  if ((bits & incompatible_corrupt) != 0) {
    return fail(Errc::refused, "qcow2 image is marked corrupt; repair it with qemu-img check -r all");
  }
  if ((bits & incompatible_dirty) != 0) {
    return fail(Errc::refused,
                "qcow2 image is marked dirty (it was not closed after its last use); repair it with qemu-img check -r all");
  }
  if (const auto unknown = bits & ~(incompatible_compression_type | incompatible_extended_l2); unknown != 0) {
    return fail(Errc::refused,
                "qcow2 incompatible feature bits {:#x} are not known; convert it with qemu-img convert -O qcow2", unknown);
  }
  if ((bits & incompatible_extended_l2) != 0 && header.cluster_bits < 14) {
    return fail(Errc::refused, "qcow2 extended L2 entries need clusters of 16 KiB or more; {}", broken);
  }
  if (const auto order = read_be<std::uint32_t>(bytes, at_refcount_order); order > 6) {
    return fail(Errc::refused, "qcow2 refcount order {} is above 6; {}", order, broken);
  }
  return {};
}

Result<void> check_table(std::string_view what, std::uint64_t offset, std::uint64_t length, const Qcow2Header& header,
                         std::uint64_t file_size) {
  const std::uint64_t cluster = 1ULL << header.cluster_bits;
  if (offset < cluster || offset % cluster != 0 || !inside(offset, length, file_size)) {
    return fail(Errc::refused, "qcow2 {} (offset {}, {} bytes) lies outside the file of {} bytes; {}", what, offset,
                length, file_size, broken);
  }
  return {};
}

Result<void> check_tables(std::string_view bytes, std::uint64_t file_size, Qcow2Header& header) {
  const std::uint64_t cluster = 1ULL << header.cluster_bits;
  const auto l1_entries = read_be<std::uint32_t>(bytes, at_l1_size);
  const bool extended = (header.incompatible_features & incompatible_extended_l2) != 0;
  const std::uint64_t per_l2_table = cluster / (extended ? 16U : 8U);
  // One L1 entry maps a whole L2 table; written so that no product can wrap.
  const std::uint64_t clusters = (header.virtual_size - 1) / cluster + 1;
  const std::uint64_t needed = (clusters - 1) / per_l2_table + 1;
  if (l1_entries < needed || std::uint64_t{l1_entries} * 8 > max_l1_bytes) {
    return fail(Errc::refused, "qcow2 L1 table of {} entries does not fit a disk of {}; {}", l1_entries,
                format_size(header.virtual_size), broken);
  }
  VMPATCH_CHECK(check_table("L1 table", read_be<std::uint64_t>(bytes, at_l1_offset), std::uint64_t{l1_entries} * 8,
                            header, file_size));

  const std::uint64_t refcount_bytes = read_be<std::uint32_t>(bytes, at_refcount_clusters) * cluster;
  if (refcount_bytes == 0 || refcount_bytes > max_refcount_table_bytes) {
    return fail(Errc::refused, "qcow2 refcount table of {} bytes is outside the limits; {}", refcount_bytes, broken);
  }
  VMPATCH_CHECK(check_table("refcount table", read_be<std::uint64_t>(bytes, at_refcount_offset), refcount_bytes, header,
                            file_size));

  header.snapshot_count = read_be<std::uint32_t>(bytes, at_snapshot_count);
  header.snapshots_offset = read_be<std::uint64_t>(bytes, at_snapshots_offset);
  if (header.snapshot_count > max_snapshots) {
    return fail(Errc::refused, "qcow2 image has {} internal snapshots, more than {}; {}", header.snapshot_count,
                max_snapshots, broken);
  }
  if (header.snapshot_count == 0) return {};
  return check_table("snapshot table", header.snapshots_offset, std::uint64_t{header.snapshot_count} * 40, header,
                     file_size);
}

Result<void> read_extensions(std::string_view bytes, std::size_t begin, std::size_t end, Qcow2Header& header) {
  std::size_t at = begin;
  while (inside(at, 8, end)) {
    const auto type = read_be<std::uint32_t>(bytes, at);
    const auto length = read_be<std::uint32_t>(bytes, at + 4);
    at += 8;
    if (type == extension_end) return {};
    if (!inside(at, length, end)) {
      return fail(Errc::refused, "qcow2 header extension {:#x} of {} bytes overruns the header; {}", type, length, broken);
    }
    if (type == extension_data_file) {
      return fail(Errc::refused, "qcow2 external data file is not allowed; convert it with qemu-img convert -O qcow2");
    }
    if (type == extension_encryption) {
      return fail(Errc::refused, "qcow2 encryption is not supported; convert it with qemu-img convert");
    }
    if (type == extension_backing_format) {
      if (header.backing_format) return fail(Errc::refused, "qcow2 header names two backing formats; {}", broken);
      header.backing_format = std::string(bytes.substr(at, length));
    }
    at += (std::size_t{length} + 7) / 8 * 8;
  }
  // QEMU ends at the first byte that cannot hold an extension, too: the end marker may be missing.
  return {};
}

Result<void> check_backing_name(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) {
    return fail(Errc::refused, "qcow2 backing name {} contains a NUL byte; {}", escape_untrusted(name), broken);
  }
  const auto colon = name.find(':');
  if (colon != std::string_view::npos && colon < name.find('/')) {
    return fail(Errc::refused,
                "qcow2 backing name {} is not a plain path (it names a protocol); flatten the image with qemu-img "
                "convert, or name the file with qemu-img rebase -u -F FORMAT -b FILE",
                escape_untrusted(name));
  }
  return {};
}

Result<void> read_backing(std::string_view bytes, Qcow2Header& header) {
  const std::size_t header_length =
      header.version == 2 ? v2_header_size : read_be<std::uint32_t>(bytes, at_header_length);
  const std::size_t limit = std::min<std::size_t>(bytes.size(), std::size_t{1} << header.cluster_bits);
  const std::size_t least = header.version == 2 ? v2_header_size : v3_header_size;
  if (header_length < least || header_length % 8 != 0 || header_length > limit) {
    return fail(Errc::refused, "qcow2 header length {} is not possible; {}", header_length, broken);
  }
  if ((header.incompatible_features & incompatible_compression_type) != 0) {
    if (header_length <= at_compression_type || static_cast<unsigned char>(bytes[at_compression_type]) > 1) {
      return fail(Errc::refused, "qcow2 compression type is not known; convert it with qemu-img convert -O qcow2");
    }
    header.zstd = bytes[at_compression_type] == 1;
  }
  const auto offset = read_be<std::uint64_t>(bytes, at_backing_offset);
  const auto length = read_be<std::uint32_t>(bytes, at_backing_size);
  if (offset == 0) return read_extensions(bytes, header_length, limit, header);
  if (length > max_backing_name) {
    return fail(Errc::refused, "qcow2 backing name of {} bytes is longer than {}; {}", length, max_backing_name, broken);
  }
  if (offset < header_length || !inside(offset, length, limit)) {
    return fail(Errc::refused, "qcow2 backing name (offset {}, {} bytes) lies outside the header; {}", offset, length,
                broken);
  }
  header.backing_name = std::string(bytes.substr(offset, length));
  VMPATCH_CHECK(check_backing_name(header.backing_name));
  return read_extensions(bytes, header_length, offset, header);
}

}  // namespace

std::string_view to_string(Format format) { return format == Format::raw ? "raw" : "qcow2"; }

Result<Format> parse_format(std::string_view text) {
  if (text == "raw") return Format::raw;
  if (text == "qcow2") return Format::qcow2;
  return fail(Errc::refused, "image format {} is not supported (raw and qcow2 are); convert it with qemu-img convert",
              escape_untrusted(text));
}

Result<Qcow2Header> parse_qcow2_header(std::string_view first_bytes, std::uint64_t file_size,
                                       std::uint64_t max_virtual_size) {
  Qcow2Header header;
  VMPATCH_CHECK(check_version_and_size(first_bytes, max_virtual_size, header));
  VMPATCH_CHECK(check_features(first_bytes, header));
  VMPATCH_CHECK(check_tables(first_bytes, file_size, header));
  VMPATCH_CHECK(read_backing(first_bytes, header));
  return header;
}

}  // namespace vmpatch::image
