#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/audit/audit_verbs.hpp"
#include "cli/audit/examined_text.hpp"
#include "cli/common/announce.hpp"
#include "cli/common/output.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// What differs is shown whoever is asked.
void show(const Context& context, const std::vector<ledger::Examined>& all) {
  for (const ledger::Examined& one : all) {
    for (const std::string& problem : one.problems) context.log.warn("{}: {}", one.file.string(), problem);
  }
}

Result<void> ask() {
  if (::isatty(STDIN_FILENO) != 1) return fail(Errc::usage, "from then on the records are believed as they are: say --yes, or answer on a terminal");
  std::fprintf(stderr, "Believe the records as they are from now on? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return {};
  return fail(Errc::refused, "not confirmed; nothing was changed");
}

/// To all that hear of commits: an acceptance is what somebody elsewhere should know first.
Result<void> tell(const Context& context, const policy::Policy& policy) {
  VMPATCH_TRY(const auto heads, ledger::Anchor(context.paths.state).read());
  announcer(context.log, policy.audit)(heads);
  return {};
}

}  // namespace

Result<int> accept_audit_log(Context& context, const AuditAcceptOptions& options) {
  if (trim(options.reason).empty()) return fail(Errc::usage, "--reason is empty; say why the records are right as they are");
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto found, ledger::examine_records(context.paths.state));
  show(context, found);
  if (has_problems(found) && !options.yes) VMPATCH_CHECK(ask());
  std::vector<ledger::Examined> accepted;
  if (has_problems(found)) {
    VMPATCH_TRY(accepted, ledger::accept_records(context.paths.state, options.reason, context.clock));
    VMPATCH_CHECK(tell(context, policy));
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
