#include "engine/verification.hpp"

#include <algorithm>

#include "engine/attestable.hpp"
#include "engine/predicted_packages.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

void check_database(const plan::Plan& plan, const guest::Facts& after, Proof& proof) {
  for (auto& reason : plan::unfit_guest(after)) proof.failures.push_back(std::move(reason));
  for (const auto& change : plan.packages) {
    const bool there = std::any_of(after.packages.begin(), after.packages.end(), [&](const guest::Package& package) {
      return package.name == change.name && package.version == change.to && package.installed();
    });
    if (!there) proof.failures.push_back(fmt::format("package {} is not installed in version {}", change.name, change.to));
  }
  proof.checks.push_back(fmt::format("package database: {} packages, {} changed", after.packages.size(), plan.packages.size()));
}

void check_prediction(const recipe::Recipe& recipe, const plan::Plan& plan, const guest::Facts& before, const guest::Facts& after, Proof& proof) {
  if (!is_predictable(recipe)) return;
  const auto differences = unpredicted_packages(plan, before, after);
  proof.failures.insert(proof.failures.end(), differences.begin(), differences.end());
  if (differences.empty()) proof.checks.emplace_back("package database: every version as predicted");
}

/// Paths that the recipe itself names: a change there is wanted.
bool named_by_recipe(const recipe::Recipe& recipe, const std::string& change) {
  for (const auto& step : recipe.steps) {
    const auto* file = std::get_if<recipe::step::File>(&step);
    const auto* edit = std::get_if<recipe::step::Edit>(&step);
    if (file != nullptr && change.starts_with(file->path + ":")) return true;
    if (edit != nullptr && change.starts_with(edit->path + ":")) return true;
  }
  return false;
}

void check_hygiene(const recipe::Recipe& recipe, const guest::Facts& before, const guest::Facts& after, Proof& proof) {
  for (const auto& change : guest::identity_changes(before.identity, after.identity)) {
    if (!named_by_recipe(recipe, change)) {
      proof.failures.push_back(fmt::format("the machine's identity changed: {}", escape_untrusted(change)));
    }
  }
  proof.checks.push_back(fmt::format("identity: {} files as before", after.identity.files.size()));
}

Result<std::string> read_grub(guest::Guest& guest) {
  auto text = guest.read("/boot/grub/grub.cfg", 4U << 20U);
  if (!text && text.error().code == Errc::not_found) return std::string();
  return text;
}

}  // namespace

std::vector<std::string> check_boot(const guest::Facts& before, const guest::Facts& after, std::string_view grub_cfg) {
  std::vector<std::string> failures;
  const bool initrds = std::any_of(before.kernels.begin(), before.kernels.end(), [](const auto& k) { return k.initrd; });
  if (after.kernels.empty() && !before.kernels.empty()) failures.emplace_back("no kernel is left in /boot");
  for (const auto& kernel : after.kernels) {
    const auto version = escape_untrusted(kernel.version);
    if (!kernel.modules) failures.push_back(fmt::format("kernel {} has no modules", version));
    if (initrds && !kernel.initrd) failures.push_back(fmt::format("kernel {} has no initrd", version));
    // Some are named after their package: vmlinuz-linux.
    const auto file = std::string_view(kernel.file).substr(kernel.file.rfind('/') + 1);
    const bool named = grub_cfg.find(kernel.version) != std::string_view::npos ||
                       (!file.empty() && grub_cfg.find(file) != std::string_view::npos);
    if (!grub_cfg.empty() && !named) {
      failures.push_back(fmt::format("kernel {} has no entry in grub.cfg", version));
    }
  }
  // What was wrong before the patch is not the patch's failure.
  std::erase_if(failures, [&](const std::string& failure) {
    return std::any_of(before.kernels.begin(), before.kernels.end(), [&](const auto& kernel) {
      return failure.find(" " + escape_untrusted(kernel.version) + " ") != std::string::npos &&
             ((!kernel.modules && failure.ends_with("modules")) || (!kernel.initrd && failure.ends_with("initrd")));
    });
  });
  return failures;
}

Result<Proof> prove(const Job& job, const recipe::PayloadStore& payloads, const plan::Plan& plan,
                    const guest::Facts& before, guest::Guest& guest, const guest::Facts& after,
                    const PlacedScripts& placed) {
  Proof proof;
  check_database(plan, after, proof);
  check_prediction(job.recipe.get(), plan, before, after, proof);

  VMPATCH_TRY(const auto answer, ask_recipe(job, payloads, guest, after, placed));
  proof.failures.insert(proof.failures.end(), answer.foreign.begin(), answer.foreign.end());
  for (auto& line : answer.all_unmet()) proof.failures.push_back(std::move(line));
  proof.checks.insert(proof.checks.end(), answer.checks.begin(), answer.checks.end());
  proof.kind = answer.kind;

  VMPATCH_TRY(const auto grub, read_grub(guest));
  const auto boot = check_boot(before, after, grub);
  proof.failures.insert(proof.failures.end(), boot.begin(), boot.end());
  proof.checks.push_back(fmt::format("boot entries: {} kernels", after.kernels.size()));

  check_hygiene(job.recipe.get(), before, after, proof);
  return proof;
}

}  // namespace vmpatch::engine
