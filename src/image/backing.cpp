#include "vmpatch/image/backing.hpp"

#include <fcntl.h>

#include <cerrno>

#include "image/big_endian.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::image {
namespace {

/// The backing name as stored; empty where the bytes hold none.
std::string_view stored_name(std::string_view bytes) {
  if (bytes.size() < qcow2::v2_header_size || read_be<std::uint32_t>(bytes, qcow2::at_magic) != qcow2::magic) return {};
  const auto offset = read_be<std::uint64_t>(bytes, qcow2::at_backing_offset);
  const auto size = read_be<std::uint32_t>(bytes, qcow2::at_backing_size);
  if (offset == 0 || offset >= bytes.size() || size > bytes.size() - offset) return {};
  return bytes.substr(static_cast<std::size_t>(offset), size);
}

/// The header extension that tells the format of the backing file.
std::optional<std::string> stored_format(std::string_view bytes) {
  const bool v2 = read_be<std::uint32_t>(bytes, qcow2::at_version) < 3;
  if (!v2 && bytes.size() < qcow2::v3_header_size) return std::nullopt;
  std::size_t at = v2 ? qcow2::v2_header_size : read_be<std::uint32_t>(bytes, qcow2::at_header_length);
  while (at <= bytes.size() && bytes.size() - at >= 8) {
    const auto type = read_be<std::uint32_t>(bytes, at);
    const std::size_t length = read_be<std::uint32_t>(bytes, at + 4);
    at += 8;
    if (type == qcow2::extension_end || length > bytes.size() - at) return std::nullopt;
    if (type == qcow2::extension_backing_format) return std::string(bytes.substr(at, length));
    at += (length + 7) / 8 * 8;
  }
  return std::nullopt;
}

void collect_file_names(const Json& json, const std::optional<std::string>& format, std::vector<BackingName>& names) {
  if (json.is_object() && json.contains("filename") && json["filename"].is_string()) {
    names.push_back({json["filename"].get<std::string>(), format});
  }
  if (json.is_structured()) {
    for (const auto& part : json) collect_file_names(part, format, names);
  }
}

std::optional<std::string> driver_of(const Json& json) {
  if (json.is_object() && json.contains("driver") && json["driver"] == "qcow2") return "qcow2";
  return std::nullopt;
}

Result<std::vector<BackingName>> read_names(const fs::path& canonical) {
  VMPATCH_TRY(const auto file, open_disk_file(canonical, O_RDONLY));
  VMPATCH_TRY(const auto bytes, read_at(file.fd.get(), 0, 64U << 10U, canonical));
  std::string_view name = stored_name(bytes);
  std::vector<BackingName> names;
  if (name.substr(0, 5) == "json:") {
    if (const auto json = parse_json(name.substr(5), "backing name")) collect_file_names(*json, driver_of(*json), names);
  } else {
    if (name.substr(0, 5) == "file:") name.remove_prefix(5);
    if (!name.empty()) names.push_back({name, stored_format(bytes)});
  }
  for (BackingName& one : names) {
    if (one.path.is_relative()) one.path = canonical.parent_path() / one.path;
  }
  return names;
}

}  // namespace

Result<FileKey> file_key(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error(errno, "find image " + shown(path));
  if (S_ISREG(info.st_mode)) return FileKey{disk_device(info), info.st_ino};
  if (S_ISBLK(info.st_mode)) return FileKey{disk_device(info), 0};
  return fail(Errc::refused, "image {} is neither a regular file nor a block device", shown(path));
}

Result<std::vector<BackingName>> named_backing_files(const fs::path& image) {
  VMPATCH_TRY(const auto canonical, canonical_image_path(image));
  return read_names(canonical);
}

Result<std::vector<BackingName>> named_backing_files(const fs::path& image, const std::vector<fs::path>& folders) {
  VMPATCH_TRY(const auto canonical, canonical_image_path(image));
  if (!lies_in_any(canonical, folders)) return fail(Errc::refused, "image {} lies outside of the allowed folders", shown(canonical));
  return read_names(canonical);
}

}  // namespace vmpatch::image
