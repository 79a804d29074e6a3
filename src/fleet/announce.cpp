#include "vmpatch/fleet/announce.hpp"

#include <syslog.h>

#include <chrono>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

/// A run commits some ten times, and its machine waits for each.
constexpr std::chrono::seconds patience{10};

void tell_syslog(const std::vector<ledger::Head>& heads) {
  std::string text;
  for (const ledger::Head& head : heads) {
    text += fmt::format("{}{} row {} {}", text.empty() ? "" : "; ", head.chain, head.sequence, head.digest.hex());
  }
  ::syslog(LOG_AUTHPRIV | LOG_NOTICE, "audit: %s", text.c_str());
}

Result<void> tell_command(const std::vector<std::string>& words, const std::vector<ledger::Head>& heads) {
  Command command;
  command.argv = words;
  for (const ledger::Head& head : heads) command.input += format_head(head) + "\n";
  command.timeout = patience;
  VMPATCH_CHECK(run_checked(command));
  return {};
}

}  // namespace

std::function<void(const std::vector<ledger::Head>&)> announcer(Log& log, const policy::Audit& audit) {
  return [&log, audit](const std::vector<ledger::Head>& heads) {
    if (audit.syslog) tell_syslog(heads);
    if (audit.command.empty()) return;
    const auto told = tell_command(audit.command, heads);
    if (!told) log.warn("the audit command {} was not told of row {}: {}", escape_untrusted(audit.command.front()), heads.front().sequence,
                        told.error().message);
  };
}

Result<bool> place_anchor(const Invocation& invocation, const policy::Audit& audit) {
  if (!audit.anchor) return false;
  return ledger::Anchor(invocation.paths.state).move_to(*audit.anchor);
}

}  // namespace vmpatch::fleet
