#include <algorithm>

#include "guest/optional_files.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/dpkg_files.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_config = 1U << 20U;
constexpr std::size_t max_line = 1023;  ///< dpkg ends with an error at a longer one
constexpr std::size_t max_config_files = 1000;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// run-parts(8) has such names too: nothing of an editor or of a package that was removed.
bool is_config_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '_'; });
}

}  // namespace

Result<PathFilter> PathFilter::load(Guest& guest) {
  std::vector<std::string> files;
  VMPATCH_TRY(const auto entries, list_if_there(guest, "/etc/dpkg/dpkg.cfg.d"));
  for (const auto& entry : entries) {
    if (is_config_name(entry.name) && files.size() < max_config_files) files.push_back("/etc/dpkg/dpkg.cfg.d/" + entry.name);
  }
  files.emplace_back("/etc/dpkg/dpkg.cfg");
  files.emplace_back("/root/.dpkg.cfg");
  PathFilter filter;
  for (const auto& file : files) {
    VMPATCH_TRY(const auto text, read_lenient(guest, file, max_config));
    if (!text) continue;
    for (const auto line : split(*text, '\n')) filter.add_line(line);
  }
  return filter;
}

void PathFilter::add_line(std::string_view line) {
  if (line.size() > max_line || rules_.size() == max_rules) return;
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  const auto end = std::find_if_not(line.begin(), line.end(), is_word);
  const std::string_view word = line.substr(0, static_cast<std::size_t>(end - line.begin()));
  if (end == line.end() || (word != "path-exclude" && word != "path-include")) return;
  // Whatever separates the two goes; a '=' and blanks may follow.
  line.remove_prefix(word.size() + 1);
  if (line.starts_with('=')) line.remove_prefix(1);
  while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
  if (line.starts_with('"') || line.starts_with('\'')) {
    if (line.size() < 2 || line.back() != line.front()) return;
    line = line.substr(1, line.size() - 2);
  }
  const auto brackets = static_cast<std::uint64_t>(std::count(line.begin(), line.end(), '['));
  rules_.push_back({word == "path-exclude", std::string(line), brackets});
}

/// fnmatch() is linear but for brackets: at each place of the path it looks for the end of each.
bool PathFilter::matches(const Rule& rule, const std::string& path) {
  steps_ += (rule.brackets * path.size() + 1) * rule.pattern.size() + path.size();
  return steps_ <= max_steps && matches_pattern(rule.pattern, path);
}

bool PathFilter::excludes(const std::string& path, FileKind kind) {
  bool excluded = false;
  for (const auto& rule : rules_) {
    if (matches(rule, path)) excluded = rule.exclude;
  }
  if (steps_ > max_steps) return false;
  if (!excluded || (kind != FileKind::directory && kind != FileKind::symlink)) return excluded;
  return std::none_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    std::string_view start = std::string_view(rule.pattern).substr(0, rule.pattern.find_first_of("*?[\\"));
    while (start.ends_with('/')) start.remove_suffix(1);
    return !rule.exclude && std::string_view(path).starts_with(start);
  });
}

}  // namespace vmpatch::guest
