#include "engine/selinux.hpp"

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
  std::string_view mode;
  for (const auto line : split(config, '\n')) {
    constexpr std::string_view key = "SELINUX=";
    if (trim(line).starts_with(key)) mode = trim(trim(line).substr(key.size()));
  }
  return mode == "enforcing" || mode == "permissive";
}

Result<bool> leave_relabelling(guest::WritableGuest& guest) {
  const auto config = guest.read("/etc/selinux/config", 1U << 20U);
  if (!config && config.error().code != Errc::not_found) return config.error();
  if (!config || !is_on(*config)) return false;
  VMPATCH_CHECK(guest.write("/.autorelabel", ""));
  return true;
}

}  // namespace vmpatch::engine
