// The end of a run whose result is published: new files, a definition that names them, an attestation of these.
#include <algorithm>

#include "engine/run.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"

namespace vmpatch::engine {

using ledger::RunState;

Result<void> Run::write_versions() {
  for (auto& version : versions_) {
    step(fmt::format("writing the new version {}", escape_untrusted(version.to.string())));
    const auto staged = std::find_if(staged_.begin(), staged_.end(), [&](const auto& one) { return one.disk.target == version.target; });
    VMPATCH_TRY(auto written, write_version(*server_, *staged, version, environment_.space_reserve, progress(), [this] { return check_going_on(); }));
    report_.changed_bytes += written.bytes;
    held_versions_.push_back(std::move(written.held));
    report_.published.push_back({version.target, version.from, version.to});
  }
  report_.stale = machine_.children;
  return {};
}

Result<void> Run::publish() {
  VMPATCH_CHECK(server_->stop());
  server_.reset();
  VMPATCH_CHECK(make_reserve(environment_.run_places));
  VMPATCH_CHECK(held_->check_alone(environment_, machine_, HeldMachine::before_writing));
  step("publishing");
  VMPATCH_TRY(auto detail, committing_detail(environment_));
  detail.update({{"satisfied", satisfied_}, {"satisfied_before", earlier_.satisfied}, {"versions", to_json(versions_)}});
  VMPATCH_CHECK(record_.advance(RunState::committing, detail));
  for (std::size_t i = 0; i < versions_.size(); ++i) VMPATCH_CHECK(show_version(versions_[i], held_versions_[i]));
  if (environment_.on_transition) VMPATCH_CHECK(environment_.on_transition("during", "publishing"));
  if (!versions_.empty()) {
    const auto moved = environment_.move_disks(machine_, moves_of(versions_));
    // Refused is refused. Of anything else it is not known yet what becomes of it: libvirt may still be at it.
    moved_ = moved || moved.error().code != Errc::refused;
    VMPATCH_CHECK(moved);
  }
  return environment_.on_transition ? environment_.on_transition("during", "published") : Result<void>();
}

Result<void> Run::attest_published() {
  step("attesting");
  VMPATCH_TRY(const auto now, environment_.reread(machine_));
  VMPATCH_TRY(const auto settled, settle_published(environment_, now, versions_, held_versions_, record_));
  report_.duration = std::chrono::duration_cast<Seconds>(environment_.clock.now() - started_);
  auto detail = settled.detail;
  detail["report"] = to_json(report_);
  VMPATCH_CHECK(record_.advance(RunState::committed, detail));
  return make_attested(settled.identities);
}

/// Once libvirt was asked, the files stay until somebody looks what the definition names, after this process has ended.
Error Run::take_back_published(const Error& error) {
  if (moved_) return needs_recovery(error);
  return end_unwritten(error);
}

}  // namespace vmpatch::engine
