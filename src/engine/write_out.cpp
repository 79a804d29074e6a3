#include "engine/write_out.hpp"

#include "engine/ending.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/reserve.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

bool somebody_came(const Error& error) { return error.code == Errc::busy || error.code == Errc::refused; }

Error needs_recovery(const std::string& message) { return fail(Errc::recovery_needed, "{}", message); }

/// The disks are in use now: every further byte, old or new, would be one under somebody's feet.
WentBack leave_to_an_operator(RunRecord& record, const Error& came, const Error& error) {
  const auto reason = fmt::format("somebody came while the disks were written: {}", came.message);
  auto message = fmt::format("{}; {}; nothing more was written, and the run is quarantined: end that use, then 'vm-patch recover {}' shows the ways out",
                             error.message, reason, record.run().id);
  if (auto noted = record.advance(RunState::quarantined, Json::object(), reason); !noted) message += "; " + noted.error().message;
  return {false, needs_recovery(message)};
}

}  // namespace

Result<void> write_out(const Environment& environment, RunRecord& record, CommitProtocol& protocol, const std::function<void()>& step,
                       const std::vector<RecordedDisk>& recorded, Json detail, WrittenOut& done) {
  VMPATCH_TRY(done.undo_bytes, protocol.capture_undo(recorded));
  VMPATCH_CHECK(make_reserve(environment.run_places));
  VMPATCH_CHECK(protocol.check_room());
  VMPATCH_CHECK(protocol.check_alone());
  step();
  VMPATCH_TRY(const auto committing, committing_detail(environment));
  detail.update(committing);
  VMPATCH_CHECK(record.advance(RunState::committing, detail));
  const auto bytes = protocol.write(Direction::to_new);
  done.begun = protocol.has_written();
  VMPATCH_TRY(done.changed_bytes, bytes);
  return environment.on_transition ? environment.on_transition("during", ledger::to_string(RunState::committing)) : Result<void>();
}

WentBack go_back(const Environment& environment, RunRecord& record, std::vector<StagedDisk>& disks, const CommitProtocol::Alone& alone, const image::BlockServerOptions& server,
                 const image::Progress& progress, const WrittenOut& done, const Error& error) {
  if (!done.begun) return {true, error};
  if (const auto still = alone(); !still && somebody_came(still.error())) return leave_to_an_operator(record, still.error(), error);
  const auto back = take_back(environment, record, disks, server, progress, alone);
  if (back) return {true, error.in("the disks were put back as they were, after the commit failed")};
  return {false, needs_recovery(fmt::format("interrupted while committing: {}; going back failed, too: {}; {}run 'vm-patch recover'", error.message,
                                            back.error().message, is_no_room(back.error()) ? "make room, then " : ""))};
}

}  // namespace vmpatch::engine
