#pragma once
// May this guest be attested now, and for which recipes? The one answer for verify, apply, rollback and recovery: nothing is signed that did
// not come out of here. Who asks keeps the disks from changing until the statement is recorded: as the holder of the machine, or with a
// reader's locks and a second look at the machine (check_unchanged()).

#include "engine/attest.hpp"
#include "engine/placed_scripts.hpp"

namespace vmpatch::engine {

/// One recipe, asked of one guest. Lines are safe for a terminal.
struct RecipeAnswer {
  std::vector<std::string> foreign;  ///< why the recipe is for another system; then nothing else was asked
  std::vector<std::string> unmet;    ///< steps and checks that do not hold
  std::vector<std::string> unproved; ///< why the files of its packages are not what the package database says
  std::vector<std::string> checks;   ///< what was looked at
  ProofKind kind = ProofKind::delivered;  ///< what it rests on where it holds
  [[nodiscard]] bool holds() const { return foreign.empty() && unmet.empty() && unproved.empty(); }
  [[nodiscard]] std::vector<std::string> all_unmet() const;  ///< and unproved
};
/// Every step's counterpart, every check, and the files of its packages. `placed`: see ask_steps_and_checks(). Errors: those of the store
/// and of reading the guest.
Result<RecipeAnswer> ask_recipe(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts,
                                const PlacedScripts& placed);

/// Errc::refused where nothing may be said of this guest (plan::unfit_guest()).
Result<void> check_fit(const inventory::Machine& machine, const guest::Facts& facts);

/// What a statement may name: entries of `satisfied` with the proof of now, and what it cannot name any more.
struct Attestable {
  Json satisfied = Json::array();
  std::vector<DroppedRecipe> dropped;
};

/// A recipe that ask_recipe() has just found to hold on the guest.
struct HoldsNow {
  const recipe::TrustedRecipe& recipe;
  ProofKind kind;
};

/// `now`, and of `earlier` what is proved once more. Of a guest that is not fit nothing is left.
Attestable attestable(const Environment& environment, const Earlier& earlier, const std::optional<HoldsNow>& now, guest::Guest& guest,
                      const guest::Facts& facts);

/// The same of disks that this process holds and has exported, and that nobody has asked yet. Nothing to prove opens nothing. Never an error:
/// of a guest that cannot be read nothing is proved, and each reason says so.
Attestable attestable_on(const Environment& environment, const std::string& machine_name, const Earlier& earlier,
                         const guest::OpenRequest& exported);

/// Nothing of `earlier` is proved, for one reason.
Attestable nothing_attestable(const Earlier& earlier, const std::string& reason);

}  // namespace vmpatch::engine
