#include "recipe/debian_control.hpp"

#include <algorithm>
#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Length of the CVE id at the beginning of `text`, or 0.
std::size_t cve_length(std::string_view text) {
  if (!text.starts_with("CVE-")) return 0;
  std::size_t at = 4;
  while (at < text.size() && is_digit(text[at])) ++at;
  if (at != 8 || at >= text.size() || text[at] != '-') return 0;
  const std::size_t number = ++at;
  while (at < text.size() && is_digit(text[at])) ++at;
  const auto digits = at - number;
  return digits >= 4 && digits <= 10 ? at : 0;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_control(std::string_view text, std::string_view name) {
  std::map<std::string, std::string> fields;
  std::string* last = nullptr;
  bool ended = false;
  for (const auto line : split(text, '\n')) {
    if (trim(line).empty()) {
      ended = ended || !fields.empty();
      continue;
    }
    if (ended) return fail(Errc::failed, "{}: control file has more than one paragraph", name);
    if (line[0] == ' ' || line[0] == '\t') {
      if (last == nullptr) return fail(Errc::failed, "{}: control file begins with a continuation line", name);
      *last += fmt::format("\n{}", trim(line));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return fail(Errc::failed, "{}: control file has a line without a field", name);
    const auto [entry, fresh] =
        fields.emplace(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
    if (!fresh) return fail(Errc::failed, "{}: control file has a field twice", name);
    last = &entry->second;
  }
  return fields;
}

std::vector<std::string> relation_names(std::string_view field) {
  std::vector<std::string> names;
  std::string separated(field);
  std::replace(separated.begin(), separated.end(), '|', ',');
  for (const auto part : split(separated, ',')) {
    const auto relation = trim(part);
    const auto name = relation.substr(0, relation.find_first_of(" \t\n(:["));
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> newest_cves(std::string_view changelog) {
  // An entry ends with its signature line, " -- Name <address>  date".
  const auto end = changelog.find("\n -- ");
  const auto entry = changelog.substr(0, end);
  std::set<std::string> found;
  for (auto at = entry.find("CVE-"); at != std::string_view::npos; at = entry.find("CVE-", at + 4))
    if (const auto length = cve_length(entry.substr(at)); length > 0) found.emplace(entry.substr(at, length));
  return {found.begin(), found.end()};
}

}  // namespace vmpatch::recipe
