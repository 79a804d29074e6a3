#include "engine/job.hpp"

#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {

Result<void> check_seen(const recipe::TrustedRecipe& recipe, ledger::Store& store) {
  const auto& id = recipe.get().id;
  VMPATCH_TRY(const auto seen, store.seen_recipe(id));
  const auto version = recipe.get().version;
  if (version < seen.version) {
    return fail(Errc::untrusted, "recipe {} version {} is older than version {}, which was used here; get the newer bundle",
                id, version, seen.version);
  }
  if (version == seen.version && seen.digest != recipe.digest().hex()) {
    return fail(Errc::untrusted,
                "recipe {} version {} was used here with other content; a changed recipe needs a higher version", id, version);
  }
  return {};
}

Result<Job> make_job(const recipe::TrustedRecipe& recipe, const recipe::PayloadStore& payloads, ledger::Store& store) {
  // Whoever holds an older version back must not be able to bring it once this one was at hand. Noted before it is checked, and never
  // lowered: of two bundles that come at once, one is refused.
  VMPATCH_CHECK(store.note_recipe(recipe.get().id, recipe.get().version, recipe.digest().hex()));
  VMPATCH_CHECK(check_seen(recipe, store));
  return load_job(recipe, payloads);
}

Result<Job> load_job(const recipe::TrustedRecipe& recipe, const recipe::PayloadStore& payloads) {
  Job job{recipe, {}};
  for (const auto& step : recipe.get().steps) {
    const auto* packages = std::get_if<recipe::step::Packages>(&step);
    if (packages == nullptr) continue;
    for (const auto& name : packages->install) {
      VMPATCH_TRY(const auto fd, payloads.open_verified(*recipe.get().find_payload(name)));
      VMPATCH_TRY(auto deb, recipe::read_deb(fd.get(), name, false));
      job.packages.push_back({name, std::move(deb)});
    }
  }
  return job;
}

}  // namespace vmpatch::engine
