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

void collect_file_names(const Json& json, std::vector<fs::path>& names) {
  if (json.is_object() && json.contains("filename") && json["filename"].is_string()) {
    names.emplace_back(json["filename"].get<std::string>());
  }
  if (json.is_structured()) {
    for (const auto& part : json) collect_file_names(part, names);
  }
}

}  // namespace

Result<FileKey> file_key(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error(errno, "find image " + shown(path));
  if (S_ISREG(info.st_mode)) return FileKey{disk_device(info), info.st_ino};
  if (S_ISBLK(info.st_mode)) return FileKey{disk_device(info), 0};
  return fail(Errc::refused, "image {} is neither a regular file nor a block device", shown(path));
}

Result<std::vector<fs::path>> named_backing_files(const fs::path& image) {
  VMPATCH_TRY(const auto canonical, canonical_image_path(image));
  VMPATCH_TRY(const auto file, open_disk_file(canonical, O_RDONLY));
  VMPATCH_TRY(const auto bytes, read_at(file.fd.get(), 0, 64U << 10U, canonical));
  std::string_view name = stored_name(bytes);
  std::vector<fs::path> names;
  if (name.substr(0, 5) == "json:") {
    if (const auto json = parse_json(name.substr(5), "backing name")) collect_file_names(*json, names);
  } else {
    if (name.substr(0, 5) == "file:") name.remove_prefix(5);
    if (!name.empty()) names.emplace_back(name);
  }
  for (fs::path& one : names) {
    if (one.is_relative()) one = canonical.parent_path() / one;
  }
  return names;
}

}  // namespace vmpatch::image
