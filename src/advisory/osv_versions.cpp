#include "advisory/osv_versions.hpp"

#include <algorithm>
#include <optional>

#include "advisory/evaluate.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_events = 1'000;
constexpr std::size_t most_versions = 100'000;
constexpr std::size_t longest_version = 256;
constexpr std::size_t most_streams = 8;

bool is_rpm(Distribution distribution) { return !is_general(distribution) && package_manager_of(distribution) == "rpm"; }

class Reader {
 public:
  Reader(std::string_view package, TextPool& texts, Statement& statement)
      : package_(package), texts_(texts), statement_(statement), is_rpm_(is_rpm(statement.distribution)) {}

  OsvVersions read(const Json& affected) {
    read_ranges(affected);
    for (const auto& version : items_of(affected, "versions")) {
      const auto text = usable(text_of(version));
      if (!text || statement_.versions.size() >= most_versions) {
        puzzled("a version that is not understood");
        continue;
      }
      statement_.versions.push_back(texts_.intern(without_zero_epoch(*text)));
      result_.understood = true;
    }
    std::sort(statement_.versions.begin(), statement_.versions.end());
    if (!result_.understood && statement_.partial) {
      statement_.claim = Claim::investigating;
      statement_.note = texts_.intern("the record's versions are not understood");
    }
    return result_;
  }

 private:
  void puzzled(std::string_view why) {
    if (result_.puzzle.empty()) result_.puzzle = why;
    statement_.partial = true;
  }

  void read_ranges(const Json& affected) {
    std::uint16_t number = 0;
    for (const auto& range : items_of(affected, "ranges")) {
      const std::string& type = text_of(range, "type");
      if (type != "ECOSYSTEM") {
        if (type != "GIT" && type != "SEMVER") puzzled("a range of unknown type");
        continue;
      }
      const bool fits = number < most_events;
      if (fits && read_range(range, number)) {
        result_.understood = true;
        ++number;
      } else {
        puzzled(fits ? "a range that is not understood" : "too many ranges");
      }
    }
  }

  bool read_range(const Json& range, std::uint16_t number) {
    const std::size_t before = statement_.events.size();
    bool introduced = false;
    for (const auto& json : items_of(range, "events")) {
      Event event;
      event.range = number;
      if (!read_event(json, event) || statement_.events.size() - before >= most_events) {
        statement_.events.resize(before);
        return false;
      }
      introduced = introduced || event.kind == Event::Kind::introduced;
      statement_.events.push_back(event);
    }
    if (!introduced) statement_.events.resize(before);
    return introduced;
  }

  bool read_event(const Json& json, Event& event) {
    if (!json.is_object() || json.size() != 1) return false;
    const auto entry = json.begin();
    const std::string& key = entry.key();
    if (key == "introduced") event.kind = Event::Kind::introduced;
    else if (key == "fixed") event.kind = Event::Kind::fixed;
    else if (key == "last_affected") event.kind = Event::Kind::last_affected;
    else if (key == "limit") event.kind = Event::Kind::limit;
    else return false;
    const auto version = usable(text_of(entry.value()));
    if (!version) return false;
    event.version = texts_.intern(*version);
    return true;
  }

  /// rpm: neither a version nor a release has a "-". Mageia and openEuler write some with the package's name before them:
  /// "gtk+2.0-2.24.33-5.1.mga9".
  [[nodiscard]] std::optional<std::string_view> usable(std::string_view version) {
    if (version.empty() || version.size() > longest_version) return std::nullopt;
    if (!is_rpm_) return version;
    const bool is_named = version.size() > package_.size() && version.starts_with(package_) && version[package_.size()] == '-';
    if (is_named) version.remove_prefix(package_.size() + 1);
    const auto dash = version.find('-');
    const bool has_both = dash != std::string_view::npos && dash > 0 && dash + 1 < version.size();
    if ((is_named || dash != std::string_view::npos) && (!has_both || version.find('-', dash + 1) != std::string_view::npos)) return std::nullopt;
    result_.modular = result_.modular || version.find(".module") != std::string_view::npos;
    return version;
  }

  std::string_view package_;
  TextPool& texts_;
  Statement& statement_;
  bool is_rpm_;
  OsvVersions result_;
};

}  // namespace

OsvVersions read_osv_versions(const Json& affected, std::string_view package, TextPool& texts, Statement& statement) {
  return Reader(package, texts, statement).read(affected);
}

std::vector<std::string> streams_in_title(std::string_view title) {
  std::vector<std::string> streams;
  for (std::string_view word : split(title.substr(0, 512), ' ')) {
    while (!word.empty() && std::string_view(",;()").find(word.back()) != std::string_view::npos) word.remove_suffix(1);
    while (word.starts_with('(')) word.remove_prefix(1);
    const auto colon = word.find(':');
    // "Moderate:" is no stream, nor is "https://…" or an erratum's number.
    const bool is_stream = colon != std::string_view::npos && colon > 0 && colon + 1 < word.size() && word.find(':', colon + 1) == std::string_view::npos &&
                           word.find('/') == std::string_view::npos && word.find("SA-") == std::string_view::npos;
    if (is_stream && streams.size() < most_streams && std::find(streams.begin(), streams.end(), word) == streams.end()) streams.emplace_back(word);
  }
  return streams;
}

}  // namespace vmpatch::advisory
