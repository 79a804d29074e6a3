#include "engine/selinux.hpp"

#include <algorithm>
#include <cctype>

#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {

Result<bool> makes_new_files(guest::Guest& guest, const recipe::Step& step) {
  if (std::holds_alternative<recipe::step::Edit>(step)) return false;
  const auto* file = std::get_if<recipe::step::File>(&step);
  if (file == nullptr) return true;
  if (file->absent) return false;
  const auto now = guest.lstat(file->path);
  if (!now && now.error().code != Errc::not_found) return now.error();
  return !now || now->kind != guest::FileKind::regular;
}

bool is_on(std::string_view config) {
  for (const auto line : split(config, '\n')) {
    constexpr std::string_view key = "SELINUX=";
    if (!line.starts_with(key)) continue;
    std::string value(trim(line.substr(key.size())));
    std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (value.starts_with("enforcing") || value.starts_with("permissive")) return true;
    if (value.starts_with("disabled")) return false;
  }
  return false;
}

Result<bool> leave_relabelling(guest::WritableGuest& guest) {
  const auto config = guest.read("/etc/selinux/config", 1U << 20U);
  if (!config && config.error().code != Errc::not_found) return config.error();
  if (!config || !is_on(*config)) return false;
  VMPATCH_CHECK(guest.write("/.autorelabel", ""));
  return true;
}

}  // namespace vmpatch::engine
