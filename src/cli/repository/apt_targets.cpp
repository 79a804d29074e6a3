#include "cli/repository/apt_targets.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using Fields = std::map<std::string_view, std::string_view>;

std::string take(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : std::string(found->second);
}

AptTarget make_target(const Fields& fields) {
  AptTarget target{.base_uri = take(fields, "Base-URI"),
                   .meta_key = take(fields, "MetaKey"),
                   .repo_uri = take(fields, "Repo-URI"),
                   .release = take(fields, "Release"),
                   .component = take(fields, "Component"),
                   .architecture = take(fields, "Architecture"),
                   .codename = take(fields, "Codename"),
                   .label = take(fields, "Label"),
                   .origin = take(fields, "Origin"),
                   .entry_file = take(fields, "Sourcesentry")};
  const auto colon = target.entry_file.rfind(':');
  if (colon == std::string::npos) return target;
  const char* end = target.entry_file.data() + target.entry_file.size();
  std::from_chars(target.entry_file.data() + colon + 1, end, target.entry);
  target.entry_file.resize(colon);
  return target;
}

}  // namespace

std::vector<AptTarget> parse_index_targets(std::string_view text) {
  std::vector<AptTarget> targets;
  Fields fields;
  const auto finish = [&] {
    if (take(fields, "Created-By") == "Packages" && !take(fields, "Repo-URI").empty()) targets.push_back(make_target(fields));
    fields.clear();
  };
  for (const std::string_view line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (line.empty()) {
      finish();
    } else if (colon != std::string_view::npos) {
      fields[line.substr(0, colon)] = trim(line.substr(colon + 1));
    }
  }
  finish();
  return targets;
}

void add_release_words(std::vector<AptTarget>& targets, const std::vector<AptTarget>& informed) {
  std::map<std::pair<std::string_view, std::string_view>, const AptTarget*> known;
  for (const AptTarget& target : informed) known[{target.base_uri, target.meta_key}] = &target;
  for (AptTarget& target : targets) {
    const auto found = known.find({target.base_uri, target.meta_key});
    if (found == known.end()) continue;
    std::tie(target.codename, target.label, target.origin) = std::tie(found->second->codename, found->second->label, found->second->origin);
  }
}

std::string hide_secrets(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  std::string shown;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(blanks), text.size());
    std::string word(text.substr(0, end));
    const auto start = word.find(":/");
    if (start != std::string::npos) {
      if (const auto query = word.find('?', start); query != std::string::npos) word.resize(query);
      // The last one: who does not encode an '@' of a password has two.
      if (const auto at = word.rfind('@'); at != std::string::npos && at > start) word.replace(start + 1, at - start, "//[hidden]@");
    }
    shown += word;
    text.remove_prefix(end);
    const auto next = std::min(text.find_first_not_of(blanks), text.size());
    shown += text.substr(0, next);
    text.remove_prefix(next);
  }
  return shown;
}

}  // namespace vmpatch::cli
