// ID and ID_LIKE of os-release(5).
#include <algorithm>
#include <array>

#include "guest/control_stanzas.hpp"
#include "guest/packages.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

using Row = std::pair<std::string_view, std::string_view>;

/// Derived systems name one of these in ID_LIKE.
constexpr auto managers = std::to_array<Row>({
    {"debian", "dpkg"}, {"ubuntu", "dpkg"},
    {"rhel", "rpm"}, {"fedora", "rpm"}, {"centos", "rpm"}, {"almalinux", "rpm"}, {"rocky", "rpm"}, {"ol", "rpm"}, {"amzn", "rpm"},
    {"scientific", "rpm"}, {"suse", "rpm"}, {"sles", "rpm"}, {"sled", "rpm"}, {"opensuse", "rpm"}, {"mageia", "rpm"},
    {"openeuler", "rpm"}, {"photon", "rpm"}, {"mariner", "rpm"}, {"azurelinux", "rpm"}, {"altlinux", "rpm"},
    {"alpine", "apk"}, {"wolfi", "apk"}, {"chainguard", "apk"},
    {"arch", "pacman"}, {"archarm", "pacman"}, {"manjaro", "pacman"},
});

std::string_view manager_of(std::string_view id) {
  if (id.starts_with("opensuse-")) return "rpm";  // opensuse-leap, opensuse-tumbleweed, …
  const auto found = std::find_if(managers.begin(), managers.end(), [&](const Row& row) { return equal_ignoring_case(id, row.first); });
  return found == managers.end() ? std::string_view() : found->second;
}

}  // namespace

std::string_view native_manager(const OsRelease& os) {
  if (const auto manager = manager_of(os.id); !manager.empty()) return manager;
  for (const std::string_view id : split(os.id_like, ' ')) {
    if (const auto manager = manager_of(trim(id)); !manager.empty()) return manager;
  }
  return {};
}

}  // namespace vmpatch::guest
