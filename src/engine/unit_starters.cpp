#include "engine/unit_starters.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t max_preset = 1U << 20U;
constexpr std::uint64_t max_generator = 16U << 20U;

/// Files with that ending in folders of falling precedence, by name: one takes the place of those of its name further down.
Result<std::map<std::string, std::string>> layered_files(guest::Guest& guest, const std::vector<std::string>& folders, std::string_view ending) {
  std::map<std::string, std::string> files;
  for (const auto& folder : folders) {
    VMPATCH_TRY(const auto entries, entries_of(guest, folder));
    for (const auto& entry : entries) {
      if (entry.name.ends_with(ending)) files.emplace(entry.name, folder + "/" + entry.name);
    }
  }
  return files;
}

std::vector<std::string> below(std::string_view what) {
  std::vector<std::string> folders;
  for (const auto* folder : {"/etc", "/usr/local/lib", "/usr/lib", "/lib"}) folders.push_back(fmt::format("{}/systemd/{}", folder, what));
  return folders;
}

/// Content of a regular file, by links too; "" for anything else, as for /dev/null.
Result<std::string> content_of(guest::Guest& guest, const std::string& path, std::uint64_t most) {
  const auto stat = guest.stat(path);
  if (!stat && stat.error().code != Errc::not_found) return stat.error();
  if (!stat || stat->kind != guest::FileKind::regular) return std::string();
  return guest.read(path, most);
}

bool is_start_link(const std::string& entry, const std::string& script) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return entry.size() == script.size() + 3 && entry[0] == 'S' && digit(entry[1]) && digit(entry[2]) && entry.ends_with(script);
}

}  // namespace

Result<std::vector<std::string>> legacy_starters(guest::Guest& guest, const guest::Facts& facts, const std::string& name, bool has_unit) {
  std::vector<std::string> starters;
  if (!name.ends_with(".service")) return starters;
  const auto script = name.substr(0, name.size() - std::string_view(".service").size());
  const bool by_systemd = facts.init == "systemd";
  if (by_systemd && has_unit) return starters;
  for (const char level : {'S', '1', '2', '3', '4', '5'}) {
    const auto folder = fmt::format("/etc/rc{}.d", level);
    VMPATCH_TRY(const auto entries, entries_of(guest, folder));
    for (const auto& entry : entries) {
      if (is_start_link(entry.name, script)) starters.push_back(escape_untrusted(folder + "/" + entry.name));
    }
  }
  if (by_systemd) return starters;
  VMPATCH_TRY(const auto levels, entries_of(guest, "/etc/runlevels"));
  for (const auto& level : levels) {
    const auto path = "/etc/runlevels/" + level.name + "/" + script;
    VMPATCH_TRY(const auto there, look_at(guest, path));
    if (there) starters.push_back(escape_untrusted(path));
  }
  return starters;
}

std::string preset_of(const std::vector<std::string>& files, const std::string& name) {
  for (const auto& file : files) {
    for (const auto line : split(file, '\n')) {
      const auto text = trim(line);
      if (text.empty() || text.front() == '#' || text.front() == ';') continue;
      const auto end = text.find_first_of(" \t");
      if (end == std::string_view::npos) continue;
      const std::string rule(text.substr(0, end));
      if (rule != "enable" && rule != "disable" && rule != "ignore") continue;
      const auto rest = trim(text.substr(end));
      const std::string pattern(rest.substr(0, rest.find_first_of(" \t")));
      if (::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0) return rule;
    }
  }
  return "enable";
}

Result<std::vector<std::string>> preset_starters(guest::Guest& guest, const guest::Facts& facts, const std::string& name,
                                                 const std::string& file) {
  std::vector<std::string> starters;
  const auto id = facts.identity.machine_id;
  const bool first_boot = id == guest::MachineId::missing || id == guest::MachineId::uninitialized;
  if (facts.init != "systemd" || !first_boot || file.empty()) return starters;
  VMPATCH_TRY(const auto unit, content_of(guest, file, max_preset));
  if (unit.find("[Install]") == std::string::npos) return starters;
  VMPATCH_TRY(const auto paths, layered_files(guest, below("system-preset"), ".preset"));
  std::vector<std::string> files;
  for (const auto& [unused, path] : paths) {
    VMPATCH_TRY(auto text, content_of(guest, path, max_preset));
    files.push_back(std::move(text));
  }
  if (preset_of(files, name) == "enable") starters.emplace_back("the presets of its first boot, as it has no machine-id");
  return starters;
}

Result<std::vector<std::string>> generators_that_name(guest::Guest& guest, const std::string& name) {
  std::vector<std::string> found;
  const auto at = name.find('@');
  const auto searched = at == std::string::npos ? name : name.substr(0, at + 1);
  VMPATCH_TRY(const auto paths, layered_files(guest, below("system-generators"), ""));
  for (const auto& [unused, path] : paths) {
    VMPATCH_TRY(const auto program, content_of(guest, path, max_generator));
    if (program.find(searched) != std::string::npos) found.push_back(escape_untrusted(path));
  }
  return found;
}

}  // namespace vmpatch::engine
