// The end of a run whose result is published: new files, a definition that names them, an attestation of these.
#include <algorithm>

#include "engine/run.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"
#include "vmpatch/image/new_version.hpp"

namespace vmpatch::engine {

using ledger::RunState;

Result<void> Run::write_versions() {
  for (auto& version : versions_) {
    step(fmt::format("writing the new version {}", escape_untrusted(version.to.string())));
    const auto staged = std::find_if(staged_.begin(), staged_.end(), [&](const auto& one) { return one.disk.target == version.target; });
    VMPATCH_CHECK(check_going_on());
    VMPATCH_TRY(const auto bytes, write_version(*server_, *staged, version, progress()));
    report_.changed_bytes += bytes;
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
  for (const auto& version : versions_) VMPATCH_CHECK(image::rename_image(version.part, version.to));
  if (environment_.on_transition) VMPATCH_CHECK(environment_.on_transition("during", "publishing"));
  if (!versions_.empty()) VMPATCH_CHECK(environment_.move_disks(machine_, moves_of(versions_)));
  return environment_.on_transition ? environment_.on_transition("during", "published") : Result<void>();
}

Result<void> Run::attest_published() {
  step("attesting");
  VMPATCH_TRY(const auto now, environment_.reread(machine_));
  VMPATCH_TRY(const auto settled, settle_published(environment_, now, versions_, record_));
  report_.duration = std::chrono::duration_cast<Seconds>(environment_.clock.now() - started_);
  auto detail = settled.detail;
  detail["report"] = to_json(report_);
  VMPATCH_CHECK(record_.advance(RunState::committed, detail));
  return make_attested(settled.identities);
}

/// The definition was changed, or it was not: it is asked, not guessed.
Error Run::take_back_published(const Error& error) {
  const auto now = environment_.reread(machine_);
  if (now && named_by(&*now, versions_) == Named::old_files) return end_unwritten(error);
  if (!now || named_by(&*now, versions_) == Named::others) return needs_recovery(error);
  return needs_recovery(error.in("its new version is published, and not attested yet"));
}

}  // namespace vmpatch::engine
