#include "fleet/image_users.hpp"

#include <algorithm>
#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/hosts.hpp"
#include "vmpatch/fleet/selection.hpp"
#include "vmpatch/image/backing.hpp"

namespace vmpatch::fleet {

namespace {

/// Errc::busy: a host that is silent, and whose folders do not tell all.
Result<void> check_told(const inventory::HostInventory& host) {
  if (host.problem.empty()) return {};
  std::string gap;
  if (!host.left) gap = host.problem;
  if (host.left && !host.left->unread.empty()) gap = fmt::format("{}; {}", host.problem, host.left->unread.front());
  if (gap.empty()) return {};
  return fail(Errc::busy, "{} does not answer ({}), so who uses the disks is not known; start it, or say 'vm-patch recover --without-libvirt' if no machine does",
              escape_untrusted(host.host), gap);
}

}  // namespace

Result<std::vector<inventory::Machine>> find_image_users(const Invocation& invocation, const std::vector<inventory::BareImage>& images,
                                                         bool without_libvirt) {
  std::set<image::FileKey> keys;
  for (const auto& image : images) {
    VMPATCH_TRY(const auto key, image::file_key(image.path));
    keys.insert(key);
  }
  const auto is_one = [&](const inventory::Disk& disk) {
    if (!disk.source) return false;
    const auto key = image::file_key(*disk.source);
    return key && keys.contains(*key);
  };
  VMPATCH_TRY(auto hosts, Hosts::make(invocation, {}));
  hosts.options().left_as_machines = true;
  hosts.add_local_libvirt();
  hosts.add(inventory::make_bare_source(images));
  const auto inventory = hosts.load();
  std::vector<inventory::Machine> users;
  for (const auto& host : inventory.hosts) {
    if (!without_libvirt) VMPATCH_CHECK(check_told(host));
    std::copy_if(host.machines.begin(), host.machines.end(), std::back_inserter(users), [&](const inventory::Machine& machine) {
      return std::any_of(machine.disks.begin(), machine.disks.end(), is_one);
    });
  }
  return users;
}

}  // namespace vmpatch::fleet
