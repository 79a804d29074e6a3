#include "advisory/distribution.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "advisory/releases.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

enum class Releases : std::uint8_t { none, whole, major };

struct Row {
  Distribution distribution;
  std::string_view name;       // for people
  std::string_view os_id;      // os-release ID
  std::string_view ecosystem;  // OSV
  std::string_view purl_type;
  std::string_view purl_namespace;
  std::string_view cpe;  // vendor:product
  Releases releases;
  bool binaries;
};

// os-release(5), OSV schema "Defined ecosystems", purl-spec "Package URL type definitions", NVD's CPE dictionary.
constexpr std::array rows{
    Row{Distribution::debian, "Debian", "debian", "Debian", "deb", "debian", "debian:debian_linux", Releases::major, false},
    Row{Distribution::ubuntu, "Ubuntu", "ubuntu", "Ubuntu", "deb", "ubuntu", "canonical:ubuntu_linux", Releases::whole, false},
    Row{Distribution::alpine, "Alpine", "alpine", "Alpine", "apk", "alpine", "alpinelinux:alpine_linux", Releases::whole, false},
    Row{Distribution::wolfi, "Wolfi", "wolfi", "Wolfi", "apk", "wolfi", "", Releases::none, true},
    Row{Distribution::chainguard, "Chainguard", "chainguard", "Chainguard", "apk", "chainguard", "", Releases::none, true},
    Row{Distribution::almalinux, "AlmaLinux", "almalinux", "AlmaLinux", "rpm", "almalinux", "almalinux:almalinux", Releases::major, true},
    Row{Distribution::rocky, "Rocky Linux", "rocky", "Rocky Linux", "rpm", "rocky", "rocky:rocky", Releases::major, true},
    Row{Distribution::redhat, "Red Hat Enterprise Linux", "rhel", "Red Hat", "rpm", "redhat", "redhat:enterprise_linux", Releases::major, true},
    Row{Distribution::fedora, "Fedora", "fedora", "", "rpm", "fedora", "fedoraproject:fedora", Releases::major, true},
    Row{Distribution::centos, "CentOS", "centos", "", "rpm", "centos", "centos:centos", Releases::major, true},
    Row{Distribution::oracle, "Oracle Linux", "ol", "", "rpm", "oracle", "oracle:linux", Releases::major, true},
    Row{Distribution::amazon, "Amazon Linux", "amzn", "", "rpm", "amzn", "amazon:amazon_linux", Releases::whole, true},
    Row{Distribution::opensuse, "openSUSE", "opensuse", "openSUSE", "rpm", "opensuse", "opensuse:leap", Releases::whole, true},
    Row{Distribution::suse, "SUSE", "sles", "SUSE", "rpm", "suse", "suse:sles", Releases::whole, true},
    Row{Distribution::mageia, "Mageia", "mageia", "Mageia", "rpm", "mageia", "mageia:mageia", Releases::major, true},
    Row{Distribution::photon, "Photon OS", "photon", "Photon OS", "rpm", "photon", "vmware:photon_os", Releases::whole, true},
    Row{Distribution::openeuler, "openEuler", "openeuler", "openEuler", "rpm", "openeuler", "openeuler:openeuler", Releases::whole, true},
    Row{Distribution::azurelinux, "Azure Linux", "azurelinux", "Azure Linux", "rpm", "azurelinux", "microsoft:azure_linux", Releases::major, true},
    Row{Distribution::arch, "Arch Linux", "arch", "", "alpm", "arch", "archlinux:arch_linux", Releases::none, true},
};

constexpr std::array<std::pair<std::string_view, Distribution>, 4> general_types{
    {{"deb", Distribution::any_deb}, {"rpm", Distribution::any_rpm}, {"apk", Distribution::any_apk}, {"alpm", Distribution::any_alpm}}};

template <class Match>
const Row* find_row(const Match& match) {
  const auto found = std::find_if(rows.begin(), rows.end(), match);
  return found == rows.end() ? nullptr : &*found;
}

const Row& row_of(Distribution distribution) {
  return *find_row([&](const Row& row) { return row.distribution == distribution; });
}

std::string join(const std::vector<std::string_view>& parts, std::size_t from) {
  std::string result;
  for (std::size_t i = from; i < parts.size(); ++i) result.append(i > from ? " " : "").append(parts[i]);
  return result;
}

std::string normal_release(const Row& row, std::string_view text) {
  if (row.releases == Releases::none) return {};
  switch (row.distribution) {
    case Distribution::alpine: return alpine_release(text);
    case Distribution::suse: return suse_release(text);
    case Distribution::debian:
      if (const auto number = debian_number(lower_case(text)); !number.empty()) return std::string(number);
      break;
    case Distribution::ubuntu: return ubuntu_release(text);
    default: break;
  }
  std::string release = lower_case(text);
  if (row.releases == Releases::major && !release.empty() && std::isdigit(static_cast<unsigned char>(release[0])) != 0) {
    release = release.substr(0, release.find('.'));
  }
  return release;
}

std::optional<Scope> redhat_stream(std::string_view suffix) {
  const auto parts = split(suffix, ':');
  if (parts.size() < 2 || parts[0] != "enterprise_linux") return std::nullopt;
  return Scope{Distribution::redhat, normal_release(row_of(Distribution::redhat), parts[1])};
}

std::optional<Scope> ubuntu_ecosystem(std::string_view suffix) {
  auto parts = split(suffix, ':');
  if (!parts.empty() && parts.back() == "LTS") parts.pop_back();
  if (parts.size() == 2 && parts[0] == "Pro") parts.erase(parts.begin());
  if (parts.size() != 1 || parts[0].empty() || std::isdigit(static_cast<unsigned char>(parts[0][0])) == 0) return std::nullopt;
  return Scope{Distribution::ubuntu, std::string(parts[0])};
}

/// Products of SUSE that make up a server: the base system, its modules and its long-term support (15 SP3-LTSS).
std::optional<Scope> suse_product(std::string_view suffix) {
  const std::string name = lower_case(suffix);
  const bool is_module = name.starts_with("linux enterprise module ");
  const bool is_server = name.starts_with("linux enterprise server ") || name.starts_with("linux enterprise software development kit ");
  // Hardware and purposes of their own, which may have the CPE of the server.
  const bool is_other = name.find(" for sap") != std::string::npos || name.find("teradata") != std::string::npos || name.find("raspberry") != std::string::npos;
  if ((!is_module && !is_server) || (is_server && is_other)) return std::nullopt;
  const std::string release = is_module ? suse_module_release(suffix) : suse_release(suffix);
  if (release.empty()) return std::nullopt;
  return Scope{Distribution::suse, release};
}

}  // namespace

std::string describe(const Scope& scope) {
  if (is_general(scope.distribution)) return "any distribution";
  std::string text(row_of(scope.distribution).name);
  if (!scope.release.empty()) text += " " + scope.release;
  return text;
}

std::optional<Scope> scope_of_ecosystem(std::string_view ecosystem) {
  const auto colon = ecosystem.find(':');
  const std::string_view name = ecosystem.substr(0, colon);
  const std::string_view suffix = colon == std::string_view::npos ? std::string_view() : ecosystem.substr(colon + 1);
  if (suffix.size() > 200) return std::nullopt;
  const Row* row = name.empty() ? nullptr : find_row([&](const Row& r) { return r.ecosystem == name; });
  if (row == nullptr) return std::nullopt;
  if (suffix.empty()) return Scope{row->distribution, ""};
  switch (row->distribution) {
    case Distribution::redhat: return redhat_stream(suffix);
    case Distribution::ubuntu: return ubuntu_ecosystem(suffix);
    case Distribution::suse: return suse_product(suffix);
    default: return Scope{row->distribution, normal_release(*row, suffix)};
  }
}

Scope scope_of_codename(std::string_view codename) {
  return {Distribution::debian, normal_release(row_of(Distribution::debian), codename)};
}

std::optional<Scope> scope_of_purl(std::string_view type, std::string_view name_space, std::string_view distro) {
  if (type == "generic") return Scope{};
  if (name_space.empty()) {
    const auto found = std::find_if(general_types.begin(), general_types.end(), [&](const auto& one) { return one.first == type; });
    return found == general_types.end() ? std::nullopt : std::optional(Scope{found->second, ""});
  }
  std::string space = lower_case(name_space);
  if (space == "rocky-linux" || space == "rockylinux") space = "rocky";
  const Row* row = find_row([&](const Row& r) { return r.purl_type == type && r.purl_namespace == space; });
  if (row == nullptr) return std::nullopt;
  std::string release = lower_case(distro);
  // "debian-12", "rhel-9.3", "opensuse-leap-15.5", or the release alone.
  for (const auto prefix : {row->os_id, row->purl_namespace}) {
    if (release.starts_with(prefix) && release.size() > prefix.size() && (release[prefix.size()] == '-' || release[prefix.size()] == ' ')) {
      release.erase(0, prefix.size() + 1);
      break;
    }
  }
  if (row->distribution == Distribution::ubuntu) {
    const auto archive = ubuntu_archive(release);
    if (!archive) return std::nullopt;
    release = *archive;
  }
  if (row->purl_type == "rpm" && release.starts_with("el") && release.size() > 2 && row->releases == Releases::major) release.erase(0, 2);
  if (row->distribution == Distribution::opensuse) std::replace(release.begin(), release.end(), '-', ' ');
  return Scope{row->distribution, normal_release(*row, release)};
}

std::optional<Scope> scope_of_cpe(std::string_view cpe) {
  if (cpe.size() > 400) return std::nullopt;
  std::vector<std::string_view> parts;
  if (cpe.starts_with("cpe:2.3:")) {
    parts = split(cpe.substr(8), ':');
  } else if (cpe.starts_with("cpe:/")) {
    parts = split(cpe.substr(5), ':');
  }
  // Red Hat gives its repositories part "a": cpe:/a:redhat:enterprise_linux:9::appstream.
  if (parts.size() < 3 || (parts[0] != "o" && parts[0] != "a")) return std::nullopt;
  std::string product = lower_case(parts[1]) + ":" + lower_case(parts[2]);
  // zypper's products: "suse_sles" until 11, modules and the development kit of their own.
  const bool is_module = product.starts_with("suse:sle-module-");
  for (const std::string_view server : {"suse:sles-ltss", "suse:suse_sles", "suse:suse_sles_ltss", "suse:sle-sdk"}) {
    if (product == server) product = "suse:sles";
  }
  if (is_module) product = "suse:sles";
  const Row* row = find_row([&](const Row& r) { return r.cpe == product; });
  if (row == nullptr) return std::nullopt;
  std::string release = parts.size() > 3 && parts[3] != "*" && parts[3] != "-" ? std::string(parts[3]) : "";
  if (row->distribution == Distribution::suse && parts.size() > 4) release += " " + std::string(parts[4]);
  if (is_module) return Scope{Distribution::suse, suse_module_release(release)};
  if (row->distribution == Distribution::opensuse && !release.empty()) release = "leap " + release;
  return Scope{row->distribution, normal_release(*row, release)};
}

std::optional<Scope> scope_of_name(std::string_view name) {
  if (name.size() > 200) return std::nullopt;
  for (const std::string_view prefix : {"SUSE ", "openSUSE "}) {
    if (name.starts_with(prefix)) return scope_of_ecosystem(std::string(prefix.substr(0, prefix.size() - 1)) + ":" + std::string(name.substr(prefix.size())));
  }
  for (const Row& row : rows) {
    if (!name.starts_with(row.name) || row.releases == Releases::none) continue;
    std::string release;
    bool plain = true;
    const std::string_view rest = name.substr(row.name.size());
    for (const auto word : split(rest.substr(0, rest.find('(')), ' ')) {
      if (word.empty() || word == "Linux" || word == "GNU/Linux" || word == "LTS") continue;
      plain = plain && release.empty();
      release = word;
    }
    const Scope scope{row.distribution, normal_release(row, release)};
    if (plain && !release.empty() && is_known_release(scope)) return scope;
  }
  return scope_of_ecosystem(name);
}

bool is_known_release(const Scope& scope) {
  const std::string& release = scope.release;
  if (release.empty() || is_general(scope.distribution)) return true;
  const auto starts_with_figure = [](std::string_view text) { return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0; };
  const auto all_of = [](std::string_view text, std::string_view characters) { return text.find_first_not_of(characters) == std::string_view::npos; };
  const Row& row = row_of(scope.distribution);
  switch (scope.distribution) {
    case Distribution::debian: return release == "sid" || all_of(release, "0123456789");
    case Distribution::ubuntu: return starts_with_figure(release) && all_of(release, "0123456789.");
    case Distribution::alpine: return release == "edge" || (starts_with_figure(release) && all_of(release, "0123456789."));
    case Distribution::opensuse: return release == "tumbleweed" || starts_with_figure(release) || (release.starts_with("leap ") && starts_with_figure(release.substr(5)));
    case Distribution::fedora: return release == "rawhide" || all_of(release, "0123456789");
    default: return row.releases == Releases::major ? all_of(release, "0123456789") : starts_with_figure(release);
  }
}

bool may_be_distribution(std::string_view name) {
  const std::string text = lower_case(name);
  return text.empty() || std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
    const bool by_cpe = row.distribution == Distribution::redhat || row.distribution == Distribution::suse || row.distribution == Distribution::opensuse;
    return !by_cpe && text.starts_with(lower_case(row.name));
  });
}

std::optional<Scope> scope_of_machine(const guest::OsRelease& os) {
  std::string id = lower_case(os.id);
  if (id.starts_with("opensuse")) id = "opensuse";  // opensuse-leap, opensuse-tumbleweed
  const Row* row = find_row([&](const Row& r) { return r.os_id == id; });
  if (row == nullptr) return std::nullopt;
  std::string_view release = os.version_id;
  switch (row->distribution) {
    case Distribution::debian:
      if (release.empty()) release = os.codename.empty() ? std::string_view("sid") : std::string_view(os.codename);
      break;
    case Distribution::opensuse: {
      // OSV: the release is what PRETTY_NAME says after the name: "openSUSE Leap 15.5".
      const auto words = split(os.pretty_name, ' ');
      if (words.size() > 1) return Scope{row->distribution, normal_release(*row, join(words, 1))};
      break;
    }
    case Distribution::openeuler: {
      // "openEuler 22.03 (LTS-SP1)" is OSV's "22.03-LTS-SP1".
      std::string text = lower_case(os.pretty_name);
      std::erase_if(text, [](char c) { return c == '(' || c == ')'; });
      const auto words = split(text, ' ');
      if (words.size() == 3) return Scope{row->distribution, std::string(words[1]) + "-" + std::string(words[2])};
      break;
    }
    default: break;
  }
  return Scope{row->distribution, normal_release(*row, release)};
}

bool fits(Distribution stated, Distribution machine) {
  if (stated == machine || stated == Distribution::any) return true;
  if (!is_general(stated)) return false;
  const auto type = row_of(machine).purl_type;
  return std::any_of(general_types.begin(), general_types.end(), [&](const auto& one) { return one.first == type && one.second == stated; });
}

bool covers(const Scope& stated, const Scope& machine) {
  if (!fits(stated.distribution, machine.distribution)) return false;
  const auto releases = releases_for(machine);
  return stated.release.empty() || std::find(releases.begin(), releases.end(), stated.release) != releases.end();
}

std::vector<std::string> releases_for(const Scope& machine) {
  std::vector<std::string> releases{machine.release};
  if (machine.distribution == Distribution::suse && (machine.release == "12" || machine.release.starts_with("12."))) releases.emplace_back("12.x");
  return releases;
}

std::string_view package_manager_of(Distribution distribution) {
  const std::string_view type = row_of(distribution).purl_type;
  return type == "deb" ? "dpkg" : type == "alpm" ? "pacman" : type;
}

bool names_binaries(Distribution distribution) {
  return is_general(distribution) || row_of(distribution).binaries;
}

}  // namespace vmpatch::advisory
