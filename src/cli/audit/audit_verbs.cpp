#include "cli/audit/audit_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace vmpatch::cli {

void add_audit_verbs(CLI::App& app, Chosen& chosen) {
  auto* audit = app.add_subcommand("audit", "Who did what: the append-only log and its hash chain");
  audit->require_subcommand(1);
  auto* verify = audit->add_subcommand("verify", "Recompute the hash chains and check the attestations' signatures");
  verify->footer("Exit code 5 when a row was changed, removed or put in, or a signature does not hold. Who has root can compute a chain "
                 "anew from its start: keep the last digest elsewhere if that matters.");
  verify->callback([&chosen] { chosen.action = verify_audit_log; });
  auto options = std::make_shared<AuditListOptions>();
  auto* list = audit->add_subcommand("list", "Show the newest rows, oldest first");
  list->add_option("--limit", options->limit, "number of rows [50]")->type_name("N")->check(CLI::Range(1, 1'000'000));
  list->footer("Example:\n  vm-patch audit list --limit 1000 --json");
  list->callback([&chosen, options] {
    chosen.action = [options](Context& context) { return list_audit_log(context, *options); };
  });
}

}  // namespace vmpatch::cli
