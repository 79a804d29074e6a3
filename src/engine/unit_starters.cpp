#include "engine/unit_starters.hpp"

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t max_preset = 1U << 20U;
constexpr std::uint64_t max_generator = 16U << 20U;
constexpr std::uint64_t max_header = 64U << 10U;  ///< of an init script

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

/// The script that a start link is for; "" for other names.
std::string started_script(const std::string& entry) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return entry.size() > 3 && entry[0] == 'S' && digit(entry[1]) && digit(entry[2]) ? entry.substr(3) : std::string();
}

std::string without_ending(std::string name, std::string_view ending) {
  if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  return name;
}

/// The names, without ".service", that a script of SysV init has for systemd, the first one that of its unit.
Result<std::vector<std::string>> names_of_script(guest::Guest& guest, const std::string& link, const std::string& script) {
  std::vector<std::string> names{without_ending(script, ".sh")};
  const auto stat = guest.stat(link);
  if (!stat && stat.error().code != Errc::not_found) return stat.error();
  if (!stat || stat->kind != guest::FileKind::regular) return names;
  VMPATCH_TRY(const auto text, guest.read_range(link, 0, std::min(stat->size, max_header)));
  for (auto& name : provided_by(text)) names.push_back(without_ending(std::move(name), ".sh"));
  return names;
}

/// A generator names the template of an instance.
std::string without_instance(const std::string& name) {
  const auto at = name.find('@');
  return at == std::string::npos ? name : name.substr(0, at + 1);
}

}  // namespace

std::vector<std::string> provided_by(std::string_view script) {
  std::vector<std::string> names;
  bool header = false;
  for (auto line : split(script, '\n')) {
    line = trim(line);
    if (line == "### BEGIN INIT INFO") header = true;
    if (line == "### END INIT INFO") return names;
    if (!header || !line.starts_with('#')) continue;
    constexpr std::string_view key = "provides:";
    const auto said = trim(line.substr(1));
    if (said.size() < key.size() || ::strncasecmp(said.data(), key.data(), key.size()) != 0) continue;
    std::istringstream words{std::string(said.substr(key.size()))};
    for (std::string word; words >> word;) names.push_back(std::move(word));
  }
  return names;
}

Result<std::vector<std::string>> sysv_starters(guest::Guest& guest, const std::set<std::string>& names, bool by_systemd) {
  std::vector<std::string> starters;
  std::map<std::string, std::vector<std::string>> scripts;  // by their own name
  for (const char level : {'S', '1', '2', '3', '4', '5'}) {
    const auto folder = fmt::format("/etc/rc{}.d", level);
    VMPATCH_TRY(const auto entries, entries_of(guest, folder));
    for (const auto& entry : entries) {
      const auto script = started_script(entry.name);
      if (script.empty()) continue;
      const auto link = folder + "/" + entry.name;
      if (!scripts.contains(script)) {
        VMPATCH_TRY(scripts[script], names_of_script(guest, link, script));
      }
      const auto& provided = scripts[script];
      const bool is_it = std::any_of(provided.begin(), provided.end(), [&](const std::string& name) { return names.contains(name + ".service"); });
      if (!is_it) continue;
      if (by_systemd) {
        VMPATCH_TRY(const auto native, read_links(guest, provided.front() + ".service"));
        if (native.there) continue;  // takes the script's place
      }
      starters.push_back(escape_untrusted(link));
    }
  }
  return starters;
}

Result<std::vector<std::string>> openrc_starters(guest::Guest& guest, const std::set<std::string>& names) {
  std::vector<std::string> starters;
  VMPATCH_TRY(const auto levels, entries_of(guest, "/etc/runlevels"));
  for (const auto& level : levels) {
    for (const auto& name : names) {
      const auto path = "/etc/runlevels/" + level.name + "/" + without_ending(name, ".service");
      VMPATCH_TRY(const auto there, look_at(guest, path));
      if (there) starters.push_back(escape_untrusted(path));
    }
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

bool names_unit(std::string_view program, std::string_view name) {
  const auto is_script = program.starts_with("#!");
  for (auto at = program.find(name); at != std::string_view::npos; at = program.find(name, at + 1)) {
    const auto behind = program.substr(at + name.size());
    if (behind.starts_with(".d") || behind.starts_with(".wants") || behind.starts_with(".requires") || behind.starts_with(".upholds")) continue;
    const auto line = program.substr(0, at).find_last_of('\n') + 1;  // npos + 1 is 0
    if (is_script && trim(program.substr(line, at - line)).starts_with("#")) continue;
    return true;
  }
  return false;
}

Result<std::vector<std::string>> generators_that_name(guest::Guest& guest, const std::set<std::string>& names) {
  std::vector<std::string> found;
  VMPATCH_TRY(const auto paths, layered_files(guest, below("system-generators"), ""));
  for (const auto& [unused, path] : paths) {
    VMPATCH_TRY(const auto program, content_of(guest, path, max_generator));
    const bool named = std::any_of(names.begin(), names.end(), [&](const std::string& name) { return names_unit(program, without_instance(name)); });
    if (named) found.push_back(escape_untrusted(path));
  }
  return found;
}

}  // namespace vmpatch::engine
