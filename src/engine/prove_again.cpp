#include "engine/prove_again.hpp"

#include "engine/attestable.hpp"
#include "engine/job.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::size_t most_named = 5;

std::string some_of(std::vector<std::string> lines) {
  const bool more = lines.size() > most_named;
  if (more) lines.resize(most_named);
  return fmt::format("{}{}", fmt::join(lines, "; "), more ? "; …" : "");
}

/// Its proof; an error where it does not hold, or nobody can say.
Result<Json> prove(const Environment& environment, const DroppedRecipe& entry, guest::Guest& guest, const guest::Facts& facts) {
  VMPATCH_TRY(const auto digest, Digest::parse(entry.digest));
  VMPATCH_TRY(const auto recipe, environment.payloads.load_kept(digest, environment.keyring, environment.clock.now()));
  if (recipe.get().id != entry.id || recipe.get().version != entry.version) {
    return fail(Errc::untrusted, "its digest is that of recipe {} version {}", recipe.get().id, recipe.get().version);
  }
  VMPATCH_CHECK(check_seen(recipe, environment.store));
  VMPATCH_TRY(const auto job, load_job(recipe, environment.payloads));
  // It was attested: then its script lay in its place, and this is that script after it ran.
  VMPATCH_TRY(auto answer, ask_recipe(job, environment.payloads, guest, facts, scripts_of(recipe.get())));
  if (!answer.foreign.empty()) return fail(Errc::failed, "{}", some_of(std::move(answer.foreign)));
  if (!answer.holds()) return fail(Errc::failed, "it does not hold any more: {}", some_of(answer.all_unmet()));
  return with_recipe(Json::array(), recipe, answer.kind);
}

}  // namespace

ProvenAgain prove_again(const Environment& environment, const Earlier& earlier, const std::string& replaced, guest::Guest& guest,
                        const guest::Facts& facts) {
  ProvenAgain again;
  for (const auto& lost : earlier.lost) {
    if (replaced.empty() || lost.id != replaced) again.dropped.push_back(lost);
  }
  for (const auto& candidate : earlier.satisfied) {
    auto entry = read_satisfied(candidate);
    if (!replaced.empty() && entry.id == replaced) continue;
    auto proved = prove(environment, entry, guest, facts);
    if (proved) {
      again.kept.push_back(std::move(proved->front()));
    } else {
      entry.reason = std::move(proved.error().message);
      again.dropped.push_back(std::move(entry));
    }
  }
  return again;
}

}  // namespace vmpatch::engine
