#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "cli/audit/audit_verbs.hpp"
#include "cli/audit/examined_text.hpp"
#include "cli/common/output.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/announce.hpp"
#include "vmpatch/fleet/ledger.hpp"

namespace vmpatch::cli {
namespace {

/// What differs is shown whoever is asked.
void show(const Context& context, const std::vector<ledger::Examined>& all) {
  for (const ledger::Examined& one : all) {
    for (const std::string& problem : one.problems) context.log.warn("{}: {}", one.file.string(), problem);
  }
}

std::string what_is_forgotten(const std::string& chain) {
  if (chain == "ledger") {
    return "which machines were attested (they have to be verified again before they start, where a group requires it), which versions of "
           "recipes were seen (older ones are accepted again), all runs with what takes them back, and the policy";
  }
  return "which disks machines left when they ended (where those are not the attested ones, they have to be verified again), and which have "
         "memory in a file of `virsh save` (look for such files first: patched under it, a machine is destroyed when it is restored)";
}

/// What nobody can believe is not accepted by the way.
Result<void> check_lost(const std::vector<ledger::Examined>& all, const std::vector<std::string>& forget) {
  for (const ledger::Examined& one : all) {
    if (!one.lost || std::ranges::find(forget, one.chain) != forget.end()) continue;
    return fail(Errc::refused, "{} is lost: restore it from a backup, or say `--forget {}`, which sets aside what is there of it and begins "
                "without; forgotten is then {}", one.file.string(), one.chain, what_is_forgotten(one.chain));
  }
  return {};
}

Result<void> ask(const Context& context, const std::vector<std::string>& forget) {
  for (const std::string& chain : forget) context.log.warn("forgotten is {}", what_is_forgotten(chain));
  if (::isatty(STDIN_FILENO) != 1) return fail(Errc::usage, "from then on the records are believed as they are: say --yes, or answer on a terminal");
  std::fprintf(stderr, forget.empty() ? "Believe the records as they are from now on? [y/N] "
                                      : "Forget that, and believe the records as they are from now on? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return {};
  return fail(Errc::refused, "not confirmed; nothing was changed");
}

/// A ledger that was accepted may have another policy than the configuration, or none.
Result<void> publish(Context& context, const policy::Policy& policy) {
  std::error_code error;
  if (!fs::exists(context.paths.ledger(), error)) return {};
  VMPATCH_TRY(const auto store, fleet::open_ledger(context, policy));
  VMPATCH_TRY(const auto published, store->published_policy());
  if (!published) context.log.warn("the records have no policy, and every start is denied until one is published: 'vm-patch gate publish'");
  return {};
}

/// To all that hear of commits: an acceptance is what somebody elsewhere should know first.
Result<void> tell(const Context& context, const policy::Policy& policy) {
  VMPATCH_TRY(const auto heads, ledger::Anchor(context.paths.state).read());
  fleet::announcer(context.log, policy.audit)(heads);
  return {};
}

}  // namespace

Result<int> accept_audit_log(Context& context, const AuditAcceptOptions& options) {
  if (trim(options.reason).empty()) return fail(Errc::usage, "--reason is empty; say why the records are right as they are");
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto found, ledger::examine_records(context.paths.state));
  show(context, found);
  VMPATCH_CHECK(check_lost(found, options.forget));
  if (has_problems(found) && !options.yes) VMPATCH_CHECK(ask(context, options.forget));
  std::vector<ledger::Examined> accepted;
  if (has_problems(found) || !options.forget.empty()) {
    VMPATCH_TRY(accepted, ledger::accept_records(context.paths.state, {options.reason, options.forget}, context.clock));
    VMPATCH_CHECK(tell(context, policy));
    VMPATCH_CHECK(publish(context, policy));
  }
  if (context.options.json) {
    Json json{{"schema", "vm-patch/audit-accept/v1"}, {"chains", Json::array()}};
    for (const ledger::Examined& one : accepted) json["chains"].push_back(examined_json(one));
    print_json(json);
  } else {
    print_text(accepted.empty() ? "Everything holds; there is nothing to accept.\n"
                                : "The records are believed as they are; an audit row says so, and the anchor begins anew.\n");
  }
  return 0;
}

}  // namespace vmpatch::cli
