#include "cli/common/machines.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <mutex>
#include <set>

#include "cli/common/local_libvirt.hpp"
#include "cli/common/recorded_memory.hpp"
#include "cli/common/snapshot_option.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::cli {
namespace {

using inventory::HostInventory;
using inventory::Inventory;
using inventory::Machine;

std::vector<std::string> each_once(const std::vector<std::string>& uris) {
  std::vector<std::string> result;
  for (const std::string& uri : uris) {
    if (std::find(result.begin(), result.end(), uri) == result.end()) result.push_back(uri);
  }
  return result;
}

std::string list_hosts(const Inventory& inventory) {
  std::string text;
  for (const HostInventory& host : inventory.hosts) {
    if (host.host == "file") continue;
    text += (text.empty() ? "" : ", ") + escape_untrusted(host.host);
    if (!host.problem.empty()) text += " (not reachable: " + host.problem + ")";
  }
  return text;
}

Result<Machine> find_domain(const Inventory& inventory, const std::string& wanted) {
  std::vector<const Machine*> found;
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) {
      if (!machine.bare && (machine.name == wanted || machine.uuid == wanted)) found.push_back(&machine);
    }
  }
  const std::string shown = escape_untrusted(wanted);
  if (found.empty()) {
    return fail(Errc::not_found, "no machine {} on {}; 'vm-patch inventory' lists them", shown, list_hosts(inventory));
  }
  if (found.size() > 1) {
    std::string places;
    for (const Machine* machine : found) places += fmt::format("{}{} on {}", places.empty() ? "" : ", ", machine->uuid, machine->host);
    return fail(Errc::refused, "{} names several machines ({}); name one host with -c, or the UUID", shown, places);
  }
  return *found.front();
}

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

/// The first group of the configuration that matches, as for the gate; and the group of its metadata.
bool is_in_group(const Machine& machine, const Json& gate_policy, const std::string& name) {
  if (machine.metadata.group == name) return true;
  const Json group = gate::find_group(gate_policy, machine);
  return !group.is_null() && group.at("name") == name;
}

/// Collects each machine once.
class Picker {
 public:
  explicit Picker(const Inventory& inventory) : inventory_(inventory) {}

  Result<void> take_named(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      VMPATCH_TRY(const auto machine, find_domain(inventory_, name));
      take(machine);
    }
    return {};
  }

  Result<void> take_groups(const std::vector<std::string>& names, const Json& gate_policy) {
    for (const std::string& name : names) {
      if (take_domains([&](const Machine& machine) { return is_in_group(machine, gate_policy, name); }) > 0) continue;
      return fail(Errc::not_found, "no machine on {} is in group {}; groups are in the configuration and in the metadata of machines",
                  list_hosts(inventory_), escape_untrusted(name));
    }
    return {};
  }

  template <class Wanted>
  std::size_t take_domains(const Wanted& wanted) {
    std::size_t found = 0;
    for (const HostInventory& host : inventory_.hosts) {
      for (const Machine& machine : host.machines) {
        if (machine.bare || !wanted(machine)) continue;
        take(machine);
        ++found;
      }
    }
    return found;
  }

  void take(const Machine& machine) {
    if (taken_.insert(machine.host + " " + machine.uuid).second) picked_.push_back(machine);
  }

  /// Unless a machine with this disk was taken before.
  void take_image_of_folder(const Machine& image) {
    const auto has_it = [&](const Machine& machine) {
      return std::any_of(machine.disks.begin(), machine.disks.end(),
                         [&](const inventory::Disk& disk) { return disk.source && disk.source == image.disks.front().source; });
    };
    if (std::none_of(picked_.begin(), picked_.end(), has_it)) take(image);
  }

  std::vector<Machine> finish() { return std::move(picked_); }

 private:
  const Inventory& inventory_;
  std::set<std::string> taken_;
  std::vector<Machine> picked_;
};

/// Folders, if any, are the last of the inventory's hosts.
Result<std::vector<Machine>> pick(const Inventory& inventory, const MachineOptions& options, const Json& gate_policy) {
  Picker picker(inventory);
  VMPATCH_CHECK(picker.take_named(options.domains));
  VMPATCH_CHECK(picker.take_groups(options.groups, gate_policy));
  if (options.all) picker.take_domains([](const Machine&) { return true; });
  for (const HostInventory& host : inventory.hosts) {
    const bool of_folder = !options.folders.empty() && &host == &inventory.hosts.back();
    for (const Machine& machine : host.machines) {
      if (!machine.bare) continue;
      if (of_folder) {
        picker.take_image_of_folder(machine);
      } else {
        picker.take(machine);
      }
    }
  }
  return picker.finish();
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
void report_silent_host(const Context& context, const HostInventory& host, const MachineOptions& options, bool images_only) {
  const std::string text = fmt::format("{}: not reachable: {}", escape_untrusted(host.host), host.problem);
  const bool may_matter = host.left && !host.left->nothing() && !(options.images.empty() && options.folders.empty() && !options.orphans);
  if (!may_matter) return images_only ? context.log.debug("{}", text) : context.log.warn("{}", text);
  context.log.warn("{}; {}", text,
                   options.without_libvirt
                       ? "machines that are not defined in its folders, and memory that was saved to a file, are not known"
                       : "of the machines that need the images as they are only those are known that its folders name");
}

/// A host that is silent: an error where its answer was all that was asked for, else a warning.
Result<void> report_silent(const Context& context, const Inventory& inventory, const MachineOptions& options, bool images_only) {
  for (const HostInventory& host : inventory.hosts) {
    for (const std::string& note : host.notes) context.log.warn("{}", note);
    for (const std::string& gap : host.gaps) context.log.warn("{}", gap);
    if (host.problem.empty()) continue;
    if (host.host == "file") return fail(Errc::not_found, "{}", host.problem);
    report_silent_host(context, host, options, images_only);
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

void add_machine_options(CLI::App& verb, MachineOptions& options) {
  verb.add_option("-d,--domain", options.domains, "machine of libvirt, by name or UUID; repeatable")
      ->type_name("NAME|UUID")->allow_extra_args(false);
  verb.add_option("-a,--add", options.images, "image file without a libvirt definition; repeatable")
      ->type_name("FILE")->allow_extra_args(false);
  verb.add_option("--format", options.format, "format of the -a images: raw or qcow2; never guessed")
      ->check(CLI::IsMember({"raw", "qcow2"}))->type_name("FORMAT");
  add_without_libvirt(verb, options);
  verb.add_option("--allow-backing", options.allow_backing, "folder in which backing files may lie; repeatable")
      ->type_name("DIR")->allow_extra_args(false);
  add_not_a_clone(verb, options.not_clones);
  verb.add_flag("--all", options.all, "every machine of the connected hosts");
  verb.add_option("--group", options.groups, "every machine of this group of the configuration or of the metadata; repeatable")
      ->type_name("NAME")->allow_extra_args(false);
  verb.add_option("--folder", options.folders, "every image below this folder: *.qcow2, *.raw, *.img; repeatable")
      ->type_name("DIR")->allow_extra_args(false);
}

void add_without_libvirt(CLI::App& verb, MachineOptions& options) {
  verb.add_flag("--without-libvirt", options.without_libvirt,
                "write images although a libvirt of this computer that has machines does not answer: machines that are not defined in "
                "its folders, and memory that was saved to a file, are then not known");
}

void add_not_a_clone(CLI::App& verb, std::vector<fs::path>& files) {
  verb.add_option("--not-a-clone", files, "this file is a raw disk, or no longer needed: no image has to be kept for it; repeatable")
      ->check(CLI::ExistingPath)->type_name("FILE")->allow_extra_args(false);
}

Result<Hosts> Hosts::make(Context& context, const std::vector<fs::path>& allow_backing, const std::vector<fs::path>& not_clones) {
  VMPATCH_TRY(auto policy, policy::load_policy(context.paths.config));
  inventory::ChainOptions options;
  options.allowed_dirs = allow_backing;
  options.allowed_dirs.insert(options.allowed_dirs.end(), policy.allow_backing.begin(), policy.allow_backing.end());
  options.not_clones = not_clones;
  options.not_clones.insert(options.not_clones.end(), policy.not_clones.begin(), policy.not_clones.end());
  options.template_names = policy.templates;
  return Hosts(context, std::move(policy), std::move(options));
}

void Hosts::add_libvirt() {
  for (const std::string& uri : each_once(context_->options.connect)) add(inventory::make_libvirt_source(uri, context_->log));
}

void Hosts::add_local_libvirt() {
  for (const std::string& uri : local_uris(each_once(context_->options.connect))) add(make_local_source(uri, context_->log));
}

Inventory Hosts::load() const {
  Inventory inventory;
  for (const auto& source : sources_) inventory.hosts.push_back(source->list());
  // After the machines: what is saved meanwhile is seen.
  const auto recorded = RecordedMemory::load(*context_);
  inventory::ChainOptions options = options_;
  if (recorded) {
    options.saved_memory = [&](const std::string& uuid, const std::vector<image::LayerIdentity>& disks) { return recorded->saved(uuid, disks); };
    options.forgotten_memory = [&](const std::string& uuid) { return recorded->forgotten(uuid); };
  }
  load_lineage(inventory, options);
  if (recorded) return inventory;
  const std::string unknown = fmt::format("whether its memory was saved is not known: {}", recorded.error().message);
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) machine.unanswered.push_back(unknown);
  }
  return inventory;
}

std::vector<fs::path> Hosts::allowed_dirs(const Inventory& inventory) const {
  std::vector<fs::path> dirs = options_.allowed_dirs;
  for (const HostInventory& host : inventory.hosts) dirs.insert(dirs.end(), host.pool_dirs.begin(), host.pool_dirs.end());
  return dirs;
}

Result<Selection> select_machines(Context& context, const MachineOptions& options) {
  VMPATCH_CHECK(check_options(options));
  VMPATCH_TRY(auto made, Hosts::make(context, options.allow_backing, options.not_clones));
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
  VMPATCH_CHECK(report_silent(context, selection.inventory, options, images_only));
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

}  // namespace vmpatch::cli
