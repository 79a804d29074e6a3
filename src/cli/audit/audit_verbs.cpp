#include "cli/audit/audit_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace vmpatch::cli {

void add_audit_verbs(CLI::App& app, Chosen& chosen) {
  auto* audit = app.add_subcommand("audit", "Who did what: the append-only log and its hash chain");
  audit->require_subcommand(1);
  auto* verify = audit->add_subcommand("verify", "Check every record against the hash chains, the chains against their anchor, and all signatures");
  verify->footer("Exit code 5 when anything was changed, removed or put in by something else than vm-patch, or a signature does not hold. "
                 "The anchor lies beside the state directory, and the heads of the chains are told to syslog and to a command: see audit in "
                 "vm-patch.yaml(5).");
  verify->callback([&chosen] { chosen.action = verify_audit_log; });
  auto accepting = std::make_shared<AuditAcceptOptions>();
  auto* accept = audit->add_subcommand("accept", "Believe the records as they are, after a backup was restored");
  accept->add_option("--reason", accepting->reason, "why they are right as they are; recorded")->type_name("TEXT")->required();
  accept->add_option("--forget", accepting->forget, "begin these records anew, without anything of them: ledger, gate; repeatable")
      ->type_name("CHAIN")->check(CLI::IsMember({"ledger", "gate"}))->allow_extra_args(false);
  accept->add_flag("-y,--yes", accepting->yes, "do not ask");
  accept->footer("Shows what differs, asks, records who accepted it and why, and anchors the chains anew. Until then vm-patch writes nothing "
                 "and the gate denies every start. Overrides of before are void from then on, so are the attestations of machines one of which something else than vm-patch has written, and the policy of the configuration is published.\n\nRecords "
                 "that are gone or cannot be read cannot be believed: restore a backup, or say --forget, which tells what is lost. Folders of runs "
                 "that nobody would know of any more have to be moved away first.\n\nExample:\n  vm-patch audit accept --reason 'host restored from the backup of Monday'");
  accept->callback([&chosen, accepting] {
    chosen.action = [accepting](Context& context) { return accept_audit_log(context, *accepting); };
  });
  auto options = std::make_shared<AuditListOptions>();
  auto* list = audit->add_subcommand("list", "Show the newest rows, oldest first");
  list->add_option("--limit", options->limit, "number of rows [50]")->type_name("N")->check(CLI::Range(1, 1'000'000));
  list->footer("Example:\n  vm-patch audit list --limit 1000 --json");
  list->callback([&chosen, options] {
    chosen.action = [options](Context& context) { return list_audit_log(context, *options); };
  });
}

}  // namespace vmpatch::cli
