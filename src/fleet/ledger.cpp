#include "vmpatch/fleet/ledger.hpp"

#include <atomic>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/announce.hpp"

namespace vmpatch::fleet {
namespace {

fs::path absolute_config(const Invocation& invocation) {
  return invocation.paths.config.empty() ? fs::path() : fs::absolute(invocation.paths.config);
}

/// A run commits some ten times.
std::function<void(const Error&)> warn_once(Log& log) {
  return [&log, said = std::make_shared<std::atomic<bool>>(false)](const Error& error) {
    if (said->exchange(true)) return;
    log.warn("the anchor of the records was not moved on, so that an older copy of them would not be found out: {}", error.message);
  };
}

Result<void> publish_if_changed(const Invocation& invocation, ledger::Store& store, const policy::Policy& policy) {
  if (invocation.paths.config.empty()) return {};
  VMPATCH_TRY(const auto published, store.published_policy());
  if (!published) return publish_policy(invocation, store, policy);
  if (published->first == policy::gate_policy_json(policy)) return {};
  const Json& origin = published->second;
  const std::string file = origin.is_object() ? origin.value("file", "") : "";
  if (file == absolute_config(invocation).string()) return publish_policy(invocation, store, policy);
  invocation.log.warn("the gate follows the policy of {}, not {}; run 'vm-patch gate publish' to change that",
                   file.empty() ? "the defaults" : escape_untrusted(file), invocation.paths.config.string());
  return {};
}

}  // namespace

Result<void> publish_policy(const Invocation& invocation, ledger::Store& store, const policy::Policy& policy) {
  return store.publish_policy(policy::gate_policy_json(policy), {{"file", absolute_config(invocation).string()}});
}

Result<std::unique_ptr<ledger::Store>> open_audited(const Invocation& invocation, const policy::Policy& policy) {
  VMPATCH_TRY(const bool moved, place_anchor(invocation, policy.audit));
  VMPATCH_TRY(auto store, ledger::open_store(invocation.paths.ledger(), invocation.clock,
                                             {.announce = announcer(invocation.log, policy.audit), .not_anchored = warn_once(invocation.log)}));
  if (moved) VMPATCH_CHECK(store->audit("anchor.moved", "ledger", {{"file", policy.audit.anchor->string()}}));
  return store;
}

Result<std::unique_ptr<ledger::Store>> open_ledger(const Invocation& invocation, const policy::Policy& policy) {
  VMPATCH_TRY(auto store, open_audited(invocation, policy));
  VMPATCH_CHECK(publish_if_changed(invocation, *store, policy));
  return store;
}

}  // namespace vmpatch::fleet
