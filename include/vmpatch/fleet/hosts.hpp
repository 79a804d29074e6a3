#pragma once
// The hosts of a fleet.

#include <filesystem>
#include <memory>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// Sources that are listed together, and the folders and name patterns of caller and configuration.
class Hosts {
 public:
  static Result<Hosts> make(const Invocation& invocation, const std::vector<fs::path>& allow_backing, const std::vector<fs::path>& not_clones = {});
  /// Every URI of the invocation once.
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
  Hosts(const Invocation& invocation, policy::Policy policy, inventory::ChainOptions options)
      : invocation_(&invocation), policy_(std::move(policy)), options_(std::move(options)) {}

  const Invocation* invocation_;
  policy::Policy policy_;
  inventory::ChainOptions options_;
  std::vector<std::unique_ptr<inventory::Source>> sources_;
};

}  // namespace vmpatch::fleet
