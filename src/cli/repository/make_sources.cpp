#include "cli/repository/make_sources.hpp"

#include <algorithm>
#include <set>

#include "cli/repository/fragment.hpp"
#include "vmpatch/advisory/code_names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {
namespace {

using repository::Source;

/// One address, suite and set of architectures.
struct Group {
  AptTarget target;  ///< its first
  std::vector<std::string> components, architectures;
};

void add_once(std::vector<std::string>& list, const std::string& word) {
  if (!word.empty() && std::ranges::find(list, word) == list.end()) list.push_back(word);
}

/// In the order of apt. Components with other architectures are a repository of their own.
std::vector<Group> group_targets(const std::vector<AptTarget>& targets) {
  std::vector<Group> single;
  for (const AptTarget& target : targets) {
    auto found = std::ranges::find_if(single, [&](const Group& group) {
      return group.target.repo_uri == target.repo_uri && group.target.release == target.release && group.target.component == target.component;
    });
    if (found == single.end()) found = single.insert(found, Group{target, {}, {}});
    add_once(found->components, target.component);
    if (target.architecture != "all") add_once(found->architectures, target.architecture);
  }
  std::vector<Group> groups;
  for (Group& group : single) {
    const auto same = std::ranges::find_if(groups, [&](const Group& other) {
      return other.target.repo_uri == group.target.repo_uri && other.target.release == group.target.release && other.architectures == group.architectures;
    });
    if (same == groups.end()) {
      groups.push_back(std::move(group));
    } else {
      for (const std::string& component : group.components) add_once(same->components, component);
    }
  }
  return groups;
}

/// "bookworm" of bookworm-security and bookworm/updates.
std::string_view base_of(std::string_view suite) { return suite.substr(0, suite.find_first_of("-/")); }

bool offers_security(const AptTarget& target) {
  if (target.label == "Debian-Security") return true;
  if (target.release.ends_with("-security") || target.codename.ends_with("-security")) return true;
  return target.label.empty() && target.release.ends_with("/updates");  // before Debian 11
}

void set_guests(Source& source, const AptTarget& target, const ImportSettings& settings) {
  std::string version;
  const std::string_view name = base_of(target.codename.empty() ? target.release : target.codename);
  if (settings.os_id) {
    source.os_id = *settings.os_id;
    version = settings.version.value_or("");
  } else if (name == "sid" || name == "unstable") {
    source.os_id = "debian";  // without a VERSION_ID
  } else if (const auto debian = advisory::debian_number(name); !debian.empty()) {
    source.os_id = "debian";
    version = debian;
  } else if (const auto ubuntu = advisory::ubuntu_number(name); !ubuntu.empty()) {
    source.os_id = "ubuntu";
    version = ubuntu;
  } else {
    source.os_id = settings.host.id;
    version = settings.host.version_id;
  }
  if (!version.empty()) source.versions = {version};
}

/// Lower-case words with '-' between them.
std::string slug(std::string_view text) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789.+";
  constexpr std::size_t longest = 30;
  std::string result;
  for (const char c : text) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool good = allowed.find(small) != std::string_view::npos;
    if (good && (!result.empty() || (small != '.' && small != '+'))) result += small;
    if (!good && !result.empty() && result.back() != '-') result += '-';
  }
  result = result.substr(0, longest);
  while (result.ends_with('-')) result.pop_back();
  return result;
}

std::string host_of(std::string_view uri) {
  const auto start = uri.find("//");
  if (start == std::string_view::npos) return "local";
  uri.remove_prefix(start + 2);
  return std::string(uri.substr(0, uri.find_first_of(":/")));
}

std::string make_name(const AptTarget& target, std::set<std::string>& taken) {
  const std::string owner = slug(target.origin.empty() ? host_of(target.repo_uri) : target.origin);
  const std::string name = fmt::format("{}-{}", owner.empty() ? "local" : owner, slug(target.release));
  std::string unique = name;
  for (unsigned number = 2; !taken.insert(unique).second; ++number) unique = fmt::format("{}-{}", name, number);
  return unique;
}

/// The files with its keys; none when apt names none that can be carried over.
std::vector<fs::path> find_keys(const AptTarget& target, const AptEntry& entry, const ImportSettings& settings) {
  const bool files = std::ranges::all_of(entry.signed_by, [](const std::string& key) { return key.starts_with('/'); });
  if (!entry.signed_by.empty() && files) return std::vector<fs::path>(entry.signed_by.begin(), entry.signed_by.end());
  const auto keyring = settings.keyrings.find(target.origin);
  if (entry.signed_by.empty() && !entry.embedded_key && keyring != settings.keyrings.end()) return {keyring->second};
  return settings.signed_by;
}

std::string_view why_no_key(const AptTarget& target, const AptEntry& entry) {
  if (entry.embedded_key) return "its key stands in the sources file itself; save it to a file of its own";
  if (!entry.signed_by.empty()) return "its key is named by a fingerprint; export that key to a file (gpg --export)";
  if (target.origin.empty()) return "apt has not fetched it, so whose it is is not known; run apt-get update";
  return "apt takes every key of /etc/apt/trusted.gpg.d for it; find the file with its key there";
}

/// All but its name and keys, for which something stands in.
Source make_source(const Group& group, const ImportSettings& settings) {
  Source source;
  source.name = "a";
  source.signed_by = {"/"};
  source.uris = {group.target.repo_uri};
  source.suites = {group.target.release};
  source.components = group.components;
  source.architectures = group.architectures;
  source.security = offers_security(group.target);
  set_guests(source, group.target, settings);
  return source;
}

/// What policy says against it; "" = nothing.
std::string fault_of(const Source& source) {
  const auto policy = policy::parse_policy("schema: vm-patch/config/v1\n" + write_fragment({source}), "");
  if (policy) return {};
  const std::string& message = policy.error().message;
  const auto start = message.find(": ");  // after the line and column of a text that nobody sees
  return start == std::string::npos ? message : message.substr(start + 2);
}

}  // namespace

Result<Imported> make_sources(const std::vector<AptTarget>& targets, const AptEntries& entries, const ImportSettings& settings) {
  Imported imported;
  std::set<std::string> names;
  std::vector<std::string> without_key;
  for (const Group& group : group_targets(targets)) {
    const AptTarget& target = group.target;
    const std::string shown = escape_untrusted(hide_secrets(target.repo_uri) + " " + target.release);
    const auto found = entries.find({target.entry_file, target.entry});
    if (found == entries.end()) return fail(Errc::failed, "{}: its entry in {} is not known", shown, escape_untrusted(target.entry_file));
    const AptEntry& entry = found->second;
    if (!entry.trusted.empty()) {
      imported.left_out.push_back({shown, fmt::format("its entry says trusted={}, so apt does not go by its signature; vm-patch does", escape_untrusted(entry.trusted))});
      continue;
    }
    Source source = make_source(group, settings);
    if (auto fault = fault_of(source); !fault.empty()) {
      imported.left_out.push_back({shown, std::move(fault)});
      continue;
    }
    source.name = make_name(target, names);
    source.signed_by = find_keys(target, entry, settings);
    if (source.signed_by.empty()) without_key.push_back(fmt::format("{}: {}", shown, why_no_key(target, entry)));
    imported.sources.push_back(std::move(source));
  }
  if (without_key.empty()) return imported;
  return fail(Errc::usage, "no file with the keys of {} of {} sources is known; name it with --signed-by FILE ({})", without_key.size(), imported.sources.size(),
              fmt::join(without_key, "; "));
}

}  // namespace vmpatch::cli
