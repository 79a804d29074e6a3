#pragma once
// How every verb is told which machines to work on.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/policy/policy.hpp"

namespace CLI {
class App;
}

namespace vmpatch::cli {

struct MachineOptions {
  std::vector<std::string> domains;     ///< -d NAME|UUID
  std::vector<fs::path> images;         ///< -a FILE
  std::string format;                   ///< --format of the images
  std::vector<fs::path> allow_backing;  ///< --allow-backing DIR
  std::vector<fs::path> not_clones;     ///< --not-a-clone FILE
  bool without_libvirt = false;         ///< --without-libvirt: see inventory::ChainOptions
  bool all = false;                     ///< --all: every machine of the hosts
  std::vector<std::string> groups;      ///< --group NAME: of the configuration, or of the machines' metadata
  std::vector<fs::path> folders;        ///< --folder DIR: images by their names' ends
  std::string snapshot;                 ///< --snapshot NAME: the machines as they would be after a revert to it
  bool orphans = false;                 ///< the orphans of the local pools, as bare images; no option of its own
};

/// -d, -a, --format, --without-libvirt, --allow-backing, --not-a-clone, --all, --group, --folder. `options` must live as long as `verb`.
void add_machine_options(CLI::App& verb, MachineOptions& options);

/// One option each, for verbs that find their machines by themselves.
void add_without_libvirt(CLI::App& verb, MachineOptions& options);
void add_not_a_clone(CLI::App& verb, std::vector<fs::path>& files);

struct Selection {
  /// In the order of the command line, each once; lineage loaded. An image of a folder that is the disk of a machine that was
  /// selected too is left out.
  std::vector<inventory::Machine> machines;
  inventory::Inventory inventory;            ///< everything that was looked at, with lineage and orphans
  std::vector<std::string> silent_hosts;     ///< hosts whose machines were asked for and that did not answer
  std::vector<std::string> unread_folders;   ///< below --folder, with the reason; escaped
  std::vector<fs::path> allowed_dirs;        ///< for open_disk_chain: --allow-backing, policy, pools
  /// Reads one machine again, lineage included (other machines may have come to use its disks). Thread-safe.
  std::function<Result<inventory::Machine>(const inventory::Machine&)> reread;
  /// Nothing that was asked for is left out: else a verb that found nothing else ends with exit code 1.
  [[nodiscard]] bool is_whole() const { return silent_hosts.empty() && unread_folders.empty(); }
};

/// Errors: usage (no machine named, -a without --format, broken configuration), not_found (the message names the hosts
/// that were asked, the group that no machine is in, or the snapshots that there are), refused (a name on several hosts). For images alone the local
/// hosts are asked too, for their pools and for machines that use the image: one that is silent is an obstacle of the image where it
/// has machines (inventory::Machine::unanswered), else it does not matter.
Result<Selection> select_machines(Context& context, const MachineOptions& options);

/// Sources that are listed together, and the folders and name patterns of command line and configuration.
class Hosts {
 public:
  static Result<Hosts> make(Context& context, const std::vector<fs::path>& allow_backing, const std::vector<fs::path>& not_clones = {});
  /// Every -c URI once.
  void add_libvirt();
  /// Those of this computer that can be asked.
  void add_local_libvirt();
  void add(std::unique_ptr<inventory::Source> source) { sources_.push_back(std::move(source)); }
  [[nodiscard]] inventory::ChainOptions& options() { return options_; }
  [[nodiscard]] const policy::Policy& policy() const { return policy_; }
  /// All hosts with lineage.
  [[nodiscard]] inventory::Inventory load() const;
  [[nodiscard]] std::vector<fs::path> allowed_dirs(const inventory::Inventory& inventory) const;

 private:
  Hosts(Context& context, policy::Policy policy, inventory::ChainOptions options)
      : context_(&context), policy_(std::move(policy)), options_(std::move(options)) {}

  Context* context_;
  policy::Policy policy_;
  inventory::ChainOptions options_;
  std::vector<std::unique_ptr<inventory::Source>> sources_;
};

}  // namespace vmpatch::cli
