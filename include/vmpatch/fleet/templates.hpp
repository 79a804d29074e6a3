#pragma once
// Templates and their versions: what runs published, who stands on which, and what of it may go.

#include <map>

#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::fleet {

struct TemplateVersion {
  std::size_t number = 1;                  ///< 1: what the machine had before vm-patch published anything
  std::map<std::string, fs::path> files;   ///< by disk; all of them, also those that its run did not change
  std::map<std::string, std::string> ids;  ///< by disk: image::file_id of those that its run made
  std::map<std::string, image::Format> formats;
  Time since{};                            ///< when it was published; of the first: the beginning of time
  std::string run_id;                      ///< the run that published it; empty for the first
  std::string recipe;
  std::size_t packages = 0;                ///< that this run changed
  bool current = false;                    ///< the machine has it
  bool there = true;                       ///< any of its own files is: of the first all, else those that its run made
  std::uint64_t bytes = 0;                 ///< that these take
  std::vector<std::string> clones;         ///< machines and images that stand on these, or may; hostile text
  [[nodiscard]] bool is_own(const std::string& target) const { return run_id.empty() || ids.contains(target); }
};

struct Template {
  inventory::Machine machine;
  std::vector<TemplateVersion> versions;  ///< oldest first
  /// Of clones on a version: how many package changes newer ones hold, and since when they are stale.
  [[nodiscard]] std::size_t packages_behind(const TemplateVersion& version) const;
  [[nodiscard]] std::optional<Time> stale_since(const TemplateVersion& version) const;
  [[nodiscard]] const TemplateVersion* current() const;
};

/// Pure: of one machine's attested runs, oldest first, what they published. Clones, sizes and what is there are not looked at.
std::vector<TemplateVersion> versions_from(const std::vector<ledger::Run>& runs, const inventory::Machine& machine);

/// Pure: of the same, which run's rollback gives the machine an older version than it has, or a newer one.
std::optional<std::string> run_between(const std::vector<ledger::Run>& runs, const inventory::Machine& machine, bool older);

/// Those of `machines` that are templates: by role or name, because something stands on their images, or because a run published them.
/// Errors: those of the ledger; busy: who stands on which image cannot be told now.
Result<std::vector<Template>> find_templates(EngineSetup& setup, const std::vector<inventory::Machine>& machines);

/// The run whose rollback gives the machine the version of before (`older`), or the one that such a rollback took away. Errc::refused: none.
Result<std::string> run_to_roll_back(EngineSetup& setup, const inventory::Machine& machine, bool older);

/// Versions whose files may be removed: made by vm-patch, not current, with nothing on them, and not among the `keep` newest of
/// those that are left when the current one is taken away.
std::vector<const TemplateVersion*> prunable(const Template& one, std::size_t keep);

}  // namespace vmpatch::fleet
