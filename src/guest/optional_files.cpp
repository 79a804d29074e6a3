#include "guest/optional_files.hpp"

namespace vmpatch::guest {

Result<std::optional<std::string>> read_if_there(Guest& guest, const std::string& path, std::uint64_t max_bytes) {
  auto text = guest.read(path, max_bytes);
  if (text) return std::optional(std::move(*text));
  if (text.error().code == Errc::not_found) return std::optional<std::string>();
  return text.error();
}

Result<std::optional<std::string>> read_lenient(Guest& guest, const std::string& path, std::uint64_t max_bytes) {
  auto text = read_if_there(guest, path, max_bytes);
  if (!text && text.error().code == Errc::failed) return std::optional<std::string>();
  return text;
}

Result<std::vector<DirEntry>> list_if_there(Guest& guest, const std::string& dir) {
  auto entries = guest.list(dir);
  if (entries) return std::move(*entries);
  if (entries.error().code == Errc::not_found) return std::vector<DirEntry>();
  return entries.error();
}

Result<bool> exists(Guest& guest, const std::string& path) {
  auto info = guest.lstat(path);
  if (info) return true;
  if (info.error().code == Errc::not_found) return false;
  return info.error();
}

}  // namespace vmpatch::guest
