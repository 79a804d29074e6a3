#include "vmpatch/repository/update_recipe.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository {
namespace {

/// As long as an attestation by it is proved again.
constexpr std::chrono::days validity{90};
constexpr std::size_t id_digits = 16;

using Changes = std::vector<const Change*>;

std::string named(const Changes& changes) {
  constexpr std::size_t enough = 10;
  std::string all;
  for (std::size_t i = 0; i < changes.size() && i < enough; ++i) all += (i == 0 ? "" : ", ") + changes[i]->name;
  return changes.size() > enough ? all + ", …" : all;
}

/// What no machine decides.
Result<void> check_for_human(const Update& update) {
  Changes removed, older;
  for (const Change& change : update.changes) {
    if (change.to.empty()) removed.push_back(&change);
    if (change.downgrade) older.push_back(&change);
  }
  if (!removed.empty()) {
    return fail(Errc::refused, "the update removes {} ({}), which is for a human to decide: exclude what needs that, or update the machine by hand",
                removed.size(), named(removed));
  }
  if (older.empty()) return {};
  return fail(Errc::refused, "the update makes {} packages older ({}), which is for a human to decide: look at the guest's apt preferences", older.size(),
              named(older));
}

/// By its whole content, so that another recipe never has the same id and version.
std::string id_of(const recipe::Recipe& recipe) {
  const auto& versions = recipe.applies_to.version_id;
  std::string id = fmt::format("refresh.{}-{}.{}", recipe.applies_to.os_id, versions.empty() ? "any" : versions.front(),
                               sha256(recipe::write_recipe(recipe)).hex().substr(0, id_digits));
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-';
    return plain ? static_cast<char>(c) : '-';
  });
  return id;
}

recipe::MadeFrom made_from(const Snapshot& snapshot) {
  recipe::MadeFrom made{snapshot.digest(), {}};
  for (const Suite& suite : snapshot.suites) {
    recipe::MadeFrom::Suite entry{suite.repository, suite.suite, suite.date, suite.signed_file, {}};
    for (const SignedBy& signer : suite.signers) entry.signers.push_back(signer.fingerprint);
    made.suites.push_back(std::move(entry));
  }
  return made;
}

/// In the order in which the package manager would unpack them.
std::vector<const Change*> in_order(const Update& update) {
  std::vector<const Change*> ordered;
  for (const Operation& operation : update.operations) {
    if (operation.kind != Operation::Kind::unpack) continue;
    const auto change = std::find_if(update.changes.begin(), update.changes.end(), [&](const Change& one) {
      return one.name == operation.name && one.arch == operation.arch && !one.to.empty();
    });
    if (change != update.changes.end()) ordered.push_back(&*change);
  }
  return ordered;
}

}  // namespace

Result<recipe::Recipe> make_update_recipe(const Update& update, const Snapshot& snapshot, const guest::Facts& facts, Time now) {
  if (update.changes.empty()) return fail(Errc::usage, "there is nothing to update");
  VMPATCH_CHECK(check_for_human(update));
  recipe::Recipe recipe;
  recipe.title = fmt::format("{} of {} as of {}: {} packages", update.mode == Mode::all ? "All updates" : "Security updates",
                             ensure_escaped(facts.os.pretty_name.empty() ? facts.os.id : facts.os.pretty_name, 40), format_time(snapshot.date()),
                             update.changes.size());
  recipe.issued = std::chrono::floor<Seconds>(now);
  recipe.expires = recipe.issued + validity;
  const bool security = std::any_of(update.changes.begin(), update.changes.end(), [](const Change& change) { return change.security; });
  recipe.severity = security ? recipe::Severity::high : recipe::Severity::none;
  recipe.applies_to.os_id = facts.os.id;
  if (!facts.os.version_id.empty()) recipe.applies_to.version_id = {facts.os.version_id};
  recipe.applies_to.arch = {facts.arch};
  recipe::step::Packages step;
  std::map<std::string, const Change*> names;
  for (const Change* change : in_order(update)) {
    const recipe::Payload payload{std::filesystem::path(change->file).filename().string(), change->sha256, change->size};
    if (!names.emplace(payload.name, change).second) {
      return fail(Errc::refused, "two packages of the update are in files of one name, {}; update the machine by hand", payload.name);
    }
    if (!change->from.empty()) recipe.applies_to.packages[change->name] = {recipe::VersionBound::Op::lt, change->to};
    recipe.verify.emplace_back(recipe::check::Package{change->name, {recipe::VersionBound::Op::ge, change->to}});
    step.install.push_back(payload.name);
    recipe.payloads.push_back(payload);
  }
  if (step.install.size() != update.changes.size()) return fail(Errc::refused, "the update changes a package's architecture; update the machine by hand");
  recipe.steps.emplace_back(std::move(step));
  recipe.made_from = made_from(snapshot);
  recipe.id = id_of(recipe);
  return recipe;
}

}  // namespace vmpatch::repository
