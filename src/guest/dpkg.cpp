#include "guest/dpkg.hpp"

#include <array>
#include <set>
#include <utility>

#include "guest/control_stanzas.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

enum Field : std::size_t { package_name, status, version, architecture, source, essential };
constexpr std::array<std::string_view, 6> status_fields{"package", "status", "version", "architecture", "source", "essential"};

enum StateField : std::size_t { state_package, state_architecture, state_automatic };
constexpr std::array<std::string_view, 3> state_fields{"package", "architecture", "auto-installed"};

/// The three words of a status; all empty when there are not exactly three.
std::array<std::string_view, 3> status_words(std::string_view text) {
  std::array<std::string_view, 3> words;
  std::size_t count = 0;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    if (count == words.size()) return {};
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    words[count++] = word;
    text.remove_prefix(word.size());
  }
  return count == words.size() ? words : std::array<std::string_view, 3>{};
}

/// "Source: foo" or "Source: foo (1.0)".
void set_source(Package& package, std::string_view text) {
  package.source = package.name;
  package.source_version = package.version;
  if (text.empty()) return;
  package.source = text.substr(0, text.find(' '));
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
    package.source_version = trim(text.substr(open + 1, close - open - 1));
  }
}

Result<Package> make_package(const ControlStanza& stanza, std::string_view default_status) {
  const std::size_t line = stanza.first_line;
  Package package;
  package.name = stanza.value(package_name);
  package.version = stanza.value(version);
  package.arch = stanza.value(architecture);
  package.status = stanza.value(status).empty() ? default_status : stanza.value(status);
  package.essential = equal_ignoring_case(stanza.value(essential), "yes");
  if (package.name.empty() || package.name.find_first_of(" \t/") != std::string::npos) {
    return fail(Errc::failed, "line {}: a stanza without a valid package name", line);
  }
  if (status_words(package.status)[0].empty()) {
    return fail(Errc::failed, "line {}: package {} has no status of three words", line, escape_untrusted(package.name));
  }
  if (package.installed() && package.version.empty()) {
    return fail(Errc::failed, "line {}: installed package {} has no version", line, escape_untrusted(package.name));
  }
  set_source(package, stanza.value(source));
  return package;
}

}  // namespace

bool Package::installed() const { return status_words(status)[2] == "installed"; }
bool Package::on_disk() const {
  const std::string_view state = status_words(status)[2];
  return state != "not-installed" && state != "config-files";
}
bool Package::held() const { return status_words(status)[0] == "hold"; }

Result<void> parse_dpkg_stanzas(std::string_view text, std::string_view default_status, PackageList& packages) {
  return for_each_stanza(text, status_fields, [&](const ControlStanza& stanza) -> Result<void> {
    VMPATCH_TRY(Package package, make_package(stanza, default_status));
    const auto added = packages.add(std::move(package));
    if (!added) return added.error().in(fmt::format("line {}", stanza.first_line));
    return {};
  });
}

Result<std::vector<Package>> parse_dpkg_status(std::string_view text) {
  PackageList packages;
  VMPATCH_CHECK(parse_dpkg_stanzas(text, "", packages));
  return packages.take();
}

std::vector<std::string> half_configured_packages(const std::vector<Package>& packages) {
  std::vector<std::string> found;
  for (const Package& package : packages) {
    const auto [want, flag, state] = status_words(package.status);
    const bool settled = state == "installed" || state == "not-installed" || state == "config-files";
    if (settled && flag == "ok") continue;
    found.push_back(package.name + ": " + package.status);
  }
  return found;
}

Result<void> mark_automatic(std::string_view extended_states, std::vector<Package>& packages) {
  std::set<std::pair<std::string_view, std::string_view>> automatic;
  std::set<std::string_view> names;
  VMPATCH_CHECK(for_each_stanza(extended_states, state_fields, [&](const ControlStanza& stanza) -> Result<void> {
    if (automatic.size() == PackageList::max_packages) {
      return fail(Errc::failed, "line {}: more than {} packages", stanza.first_line, PackageList::max_packages);
    }
    if (stanza.value(state_automatic) != "1") return {};
    automatic.emplace(stanza.value(state_package), stanza.value(state_architecture));
    names.insert(stanza.value(state_package));
    return {};
  }));
  for (Package& package : packages) {
    package.automatic = package.arch == "all" ? names.contains(package.name) : automatic.contains({package.name, package.arch});
  }
  return {};
}

}  // namespace vmpatch::guest
