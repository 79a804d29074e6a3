#pragma once
// PURE: recipe + packages of its payloads + what is true of a machine → what would change on it, and why not on others.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/plan/versions.hpp"
#include "vmpatch/recipe/deb.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::plan {

/// A *.deb payload of a packages step: its name in the recipe and its control data (without file list).
struct PayloadPackage {
  std::string payload;
  recipe::DebPackage deb;
};

struct PackageChange {
  std::string name;
  std::string arch;
  std::string payload;
  std::string from;  ///< installed version; empty = new
  std::string to;
  [[nodiscard]] bool is_new() const { return from.empty(); }
};

/// Older than its payload, and on hold (dpkg's selection) by the guest's administrator.
struct HeldPackage {
  std::string name;
  std::string from;
  std::string to;
};

enum class Outcome {
  apply,           ///< something would change
  satisfied,       ///< everything holds already
  not_applicable,  ///< the recipe is not for this machine
  refused,         ///< state or policy forbids writing, or the guest is not fit for it
};
std::string_view to_string(Outcome outcome);

struct Plan {
  std::string machine_uuid, machine_name, host;
  std::string recipe_id, recipe_title, recipe_digest;
  std::uint32_t recipe_version = 0;
  std::vector<std::string> fixes;
  std::string severity;
  Outcome outcome = Outcome::refused;
  std::vector<std::string> reasons;        ///< why not `apply`; one message with a remedy each
  std::vector<PackageChange> packages;     ///< what dpkg would be given, by packages step in order
  std::vector<std::string> skipped;        ///< payload packages left alone and why
  std::vector<std::string> steps;          ///< every step, for people
  std::vector<std::string> removals;       ///< folders that would be removed, with how many files
  std::vector<std::string> pending;        ///< checks that do not hold now: what the steps would make true
  std::vector<std::string> notes;          ///< what was found in the guest and hinders nothing
  std::uint64_t space_needed = 0;          ///< bytes in the state directory (overlay, undo, payload disk)
};

/// What is true of the machine. `facts` is empty when the disks were not read because of `obstacles`.
struct Situation {
  const inventory::Machine& machine;
  std::vector<std::string> obstacles;       ///< inventory::write_obstacles()
  const std::optional<guest::Facts>& facts;
  std::vector<std::string> unmet;           ///< steps and checks that do not hold now (engine::unmet())
  std::vector<std::string> forbidden{};     ///< of these, what no step may do on this guest: the plan refuses with it
  std::vector<std::string> removals{};      ///< see Plan
};

Plan make_plan(const recipe::Recipe& recipe, const Digest& digest, const std::vector<PayloadPackage>& payloads,
               const Situation& situation);

/// Payload packages of one step that this guest needs. A package that applies_to.packages names is an upgrade: chosen where
/// it is installed and older, or where a chosen one depends on it. Any other is chosen unless it is installed in that
/// version or a newer one. The rest goes to `skipped`, but for packages that are held though they are older: these are never
/// chosen, and make_plan refuses. Pure; make_plan and the executor share it, so that both agree.
struct Selection {
  std::vector<PackageChange> changes;
  std::vector<HeldPackage> held;
  std::vector<std::string> skipped;
  std::vector<std::string> unmet_dependencies;  ///< "curl 7.88 needs libcurl4 (= 7.88), which neither guest nor bundle has"
};
Selection select_packages(VersionScheme scheme, const recipe::Recipe& recipe, const recipe::step::Packages& step,
                          const std::vector<PayloadPackage>& payloads, const guest::Facts& facts);

/// In how many rounds dpkg installs these changes: all of a round is unpacked before any of it is configured. dpkg refuses to
/// unpack what Pre-Depends on a version that is not configured, or Conflicts with one that is there (policy 7.2, 7.4): these go
/// into an earlier round. Circles are left in one. Every change's payload is in `payloads`.
std::vector<std::vector<PackageChange>> install_batches(VersionScheme scheme, const std::vector<PackageChange>& changes,
                                                        const std::vector<PayloadPackage>& payloads, const guest::Facts& facts);

/// Why a recipe is for another system (distribution, release, architecture): whatever seems to hold there, it says nothing about this guest.
/// Empty = it is for this one.
std::vector<std::string> foreign_system(const recipe::Recipe& recipe, const guest::Facts& facts);

/// Why a recipe is not for this guest; empty = it is. Beside foreign_system() its packages count, which may stop matching once it was applied.
std::vector<std::string> applicability(const recipe::Recipe& recipe, const guest::Facts& facts);

/// Why a guest may neither be written nor be attested, whatever the recipe, each with the way out; empty = it is fit.
std::vector<std::string> unfit_guest(const guest::Facts& facts);

/// Schema vm-patch/plan/v1.
Json to_json(const Plan& plan);

}  // namespace vmpatch::plan
