#pragma once
// Which distribution and release a feed, a product or a machine speaks of, in one form that can be compared.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::advisory {

enum class Distribution : std::uint8_t {
  any,  ///< a product that names no distribution (pkg:generic)
  any_deb, any_rpm, any_apk, any_alpm,  ///< only the package manager: pkg:deb/NAME
  debian, ubuntu, alpine, wolfi, chainguard, almalinux, rocky, redhat, fedora, centos, oracle, amazon, opensuse, suse, mageia,
  photon, openeuler, azurelinux, arch
};

/// Names no distribution.
[[nodiscard]] constexpr bool is_general(Distribution distribution) { return distribution <= Distribution::any_alpm; }

/// Whether a statement on `stated` may be meant for a machine of `machine`, which is not general.
[[nodiscard]] bool fits(Distribution stated, Distribution machine);

/// rpm: feeds of these distributions name versions without the epochs that their packages have.
[[nodiscard]] constexpr bool drops_epochs(Distribution distribution) {
  switch (distribution) {
    case Distribution::openeuler:
    case Distribution::mageia:
    case Distribution::azurelinux:
    case Distribution::photon:
    case Distribution::opensuse:
    case Distribution::suse: return true;
    default: return false;
  }
}

struct Scope {
  Distribution distribution = Distribution::any;
  std::string release;  ///< "12", "22.04", "3.18", "9", "leap 15.5"; "" = every release
  auto operator<=>(const Scope&) const = default;
};

/// "Debian 12", for people.
std::string describe(const Scope& scope);

/// OSV's affected[].package.ecosystem: "Debian:12", "Ubuntu:22.04:LTS", "Alpine:v3.18", "Red Hat:enterprise_linux:9::baseos",
/// "openSUSE:Leap 15.5" (OSV schema, "Defined ecosystems"). Nothing for an ecosystem that is no Linux distribution, or a
/// product stream that an ordinary machine does not have (extended update support, FIPS, …).
std::optional<Scope> scope_of_ecosystem(std::string_view ecosystem);

/// Debian's tracker: the release's code name.
Scope scope_of_codename(std::string_view codename);

/// Package URL: type and namespace, with the qualifier "distro" (may be empty): "deb", "debian", "debian-12" or "bookworm";
/// Ubuntu's archives: "jammy", "esm-infra/xenial", "trusty/esm". Nothing for another distribution, and for another product of one.
std::optional<Scope> scope_of_purl(std::string_view type, std::string_view name_space, std::string_view distro);

/// CPE 2.2 or 2.3 of an operating system: "cpe:/o:redhat:enterprise_linux:9::baseos".
std::optional<Scope> scope_of_cpe(std::string_view cpe);

/// A product's name: "Debian GNU/Linux 12 (bookworm)", "Ubuntu 22.04.3 LTS", "SUSE Linux Enterprise Server 15 SP5", or as in OSV.
std::optional<Scope> scope_of_name(std::string_view name);

/// Whether the release is written as this program knows releases of the distribution; "" is every one. What is not is meant for some
/// machine all the same.
[[nodiscard]] bool is_known_release(const Scope& scope);

/// Whether a product's name that scope_of_name() does not understand may still mean a distribution's own release: "Debian twelve".
/// Red Hat's and SUSE's many products are told apart by their CPE.
[[nodiscard]] bool may_be_distribution(std::string_view name);

/// From os-release; nothing when the distribution is not known here.
std::optional<Scope> scope_of_machine(const guest::OsRelease& os);

/// Whether a statement for `stated` is meant for a machine of `machine`.
[[nodiscard]] bool covers(const Scope& stated, const Scope& machine);

/// The releases of statements that are meant for a machine, its own first: SLE 12's modules have no service packs and count for
/// all ("12.x").
[[nodiscard]] std::vector<std::string> releases_for(const Scope& machine);

/// As guest::Facts has it: "dpkg", "rpm", "apk", "pacman".
[[nodiscard]] std::string_view package_manager_of(Distribution distribution);

/// Feeds of these distributions may name binary packages as well as source packages.
[[nodiscard]] bool names_binaries(Distribution distribution);

}  // namespace vmpatch::advisory
