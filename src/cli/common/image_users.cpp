#include "cli/common/image_users.hpp"

#include <algorithm>
#include <set>

#include "cli/common/machines.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/backing.hpp"

namespace vmpatch::cli {

Result<std::vector<inventory::Machine>> find_image_users(Context& context, const std::vector<inventory::BareImage>& images) {
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
  VMPATCH_TRY(auto hosts, Hosts::make(context, {}));
  hosts.add_local_libvirt();
  hosts.add(inventory::make_bare_source(images));
  const auto inventory = hosts.load();
  std::vector<inventory::Machine> users;
  for (const auto& host : inventory.hosts) {
    if (!host.problem.empty()) {
      return fail(Errc::busy, "{} does not answer ({}), so who uses the disks is not known", escape_untrusted(host.host), host.problem);
    }
    std::copy_if(host.machines.begin(), host.machines.end(), std::back_inserter(users), [&](const inventory::Machine& machine) {
      return std::any_of(machine.disks.begin(), machine.disks.end(), is_one);
    });
  }
  return users;
}

}  // namespace vmpatch::cli
