#include "vmpatch/fleet/selection.hpp"

#include <memory>
#include <mutex>

#include "fleet/at_snapshot.hpp"
#include "fleet/pick.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/hosts.hpp"

namespace vmpatch::fleet {
namespace {

using inventory::HostInventory;
using inventory::Inventory;
using inventory::Machine;

Result<Machine> find_same(const Inventory& inventory, const Machine& wanted) {
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) {
      if (machine.uuid == wanted.uuid && machine.host == wanted.host) return machine;
    }
  }
  const std::string name = escape_untrusted(wanted.name);
  for (const HostInventory& host : inventory.hosts) {
    if (host.host == wanted.host && !host.problem.empty()) return fail(Errc::failed, "read {} again: {}", name, host.problem);
  }
  return fail(Errc::not_found, "{} is no longer on {}", name, escape_untrusted(wanted.host));
}

Result<void> check_options(const MachineOptions& options) {
  const bool any = !options.domains.empty() || !options.images.empty() || !options.groups.empty() || !options.folders.empty();
  if (!any && !options.all && !options.orphans) {
    return fail(Errc::usage, "no machine is named; name one with -d NAME, an image with -a FILE, a group with --group NAME, "
                "a folder of images with --folder DIR, or say --all");
  }
  if (!options.images.empty() && options.format.empty()) {
    return fail(Errc::usage, "-a needs --format raw or --format qcow2: vm-patch never guesses the format of an image");
  }
  return {};
}

/// The format by the name's end, as for folders; never by content.
std::vector<inventory::BareImage> orphan_images(const Inventory& inventory) {
  std::vector<inventory::BareImage> images;
  for (const HostInventory& host : inventory.hosts) {
    for (const inventory::Orphan& orphan : host.orphans) {
      if (const auto format = inventory::format_of_name(orphan.path)) images.push_back({orphan.path, *format, true});
    }
  }
  return images;
}

/// For images alone a silent host matters only where it may have machines that need them; verbs that write refuse those images.
void report_silent_host(const Invocation& invocation, const HostInventory& host, const MachineOptions& options, bool images_only) {
  const std::string text = fmt::format("{}: not reachable: {}", escape_untrusted(host.host), host.problem);
  const bool may_matter = host.left && !host.left->nothing() && !(options.images.empty() && options.folders.empty() && !options.orphans);
  if (!may_matter) return images_only ? invocation.log.debug("{}", text) : invocation.log.warn("{}", text);
  invocation.log.warn("{}; {}", text,
                      options.without_libvirt
                          ? "machines that are not defined in its folders, and memory that was saved to a file, are not known"
                          : "of the machines that need the images as they are only those are known that its folders name");
}

/// A host that is silent: an error where its answer was all that was asked for, else a warning.
Result<void> report_silent(const Invocation& invocation, const Inventory& inventory, const MachineOptions& options, bool images_only) {
  for (const HostInventory& host : inventory.hosts) {
    for (const std::string& note : host.notes) invocation.log.warn("{}", note);
    for (const std::string& gap : host.gaps) invocation.log.warn("{}", gap);
    if (host.problem.empty()) continue;
    if (host.host == "file") return fail(Errc::not_found, "{}", host.problem);
    report_silent_host(invocation, host, options, images_only);
  }
  return {};
}

/// For images alone, hosts are only asked who else uses them.
void find_gaps(Selection& selection, bool images_only) {
  for (const HostInventory& host : selection.inventory.hosts) {
    selection.unread_folders.insert(selection.unread_folders.end(), host.gaps.begin(), host.gaps.end());
    if (!images_only && !host.problem.empty()) selection.silent_hosts.push_back(host.host);
  }
}

Result<std::vector<inventory::BareImage>> bare_images(const MachineOptions& options) {
  std::vector<inventory::BareImage> images;
  if (options.images.empty()) return images;
  VMPATCH_TRY(const auto format, image::parse_format(options.format));
  for (const fs::path& path : options.images) images.push_back({path, format});
  return images;
}

}  // namespace

Result<Selection> select_machines(const Invocation& invocation, const MachineOptions& options) {
  VMPATCH_CHECK(check_options(options));
  VMPATCH_TRY(auto made, Hosts::make(invocation, options.allow_backing, options.not_clones));
  const auto hosts = std::make_shared<Hosts>(std::move(made));
  hosts->options().without_libvirt = options.without_libvirt;
  const bool images_only = options.domains.empty() && options.groups.empty() && !options.all && !options.orphans;
  if (images_only) {
    hosts->add_local_libvirt();
  } else {
    hosts->add_libvirt();
  }
  VMPATCH_TRY(auto images, bare_images(options));
  hosts->add(inventory::make_bare_source(std::move(images)));
  if (options.orphans) hosts->add(inventory::make_bare_source(orphan_images(hosts->load())));
  if (!options.folders.empty()) hosts->add(inventory::make_folder_source(options.folders));

  Selection selection;
  selection.inventory = hosts->load();
  VMPATCH_CHECK(report_silent(invocation, selection.inventory, options, images_only));
  find_gaps(selection, options.groups.empty() && !options.all && !options.orphans);
  const Json gate_policy = policy::gate_policy_json(hosts->policy());
  VMPATCH_TRY(selection.machines, pick(selection.inventory, options, gate_policy));
  if (!options.snapshot.empty()) VMPATCH_CHECK(go_to_snapshot(selection.machines, options.snapshot));
  selection.allowed_dirs = hosts->allowed_dirs(selection.inventory);
  selection.reread = [hosts, mutex = std::make_shared<std::mutex>()](const Machine& machine) -> Result<Machine> {
    const std::lock_guard lock(*mutex);
    return find_same(hosts->load(), machine);
  };
  return selection;
}

}  // namespace vmpatch::fleet
