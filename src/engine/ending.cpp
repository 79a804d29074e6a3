#include "engine/ending.hpp"

#include "engine/attest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

Result<Ended> discard(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction, std::uint64_t bytes) {
  const auto& before = record.run();
  const bool lost = before.detail.value("lost", false);
  auto message = fmt::format("the {} content was {} ({}){}", to_string(direction), direction == Direction::to_old ? "put back" : "written",
                             format_size(bytes), direction == Direction::to_old ? "" : ", unattested");
  if (!before.error.empty()) message += ": " + before.error;
  if (lost) {
    VMPATCH_CHECK(record.advance_keeping_undo(RunState::discarded, Json::object(), message, undo_size(unfinished.recorded())));
  } else {
    VMPATCH_CHECK(record.advance(RunState::discarded, Json::object(), message));
  }
  clean_up(environment, record.run(), !lost);
  if (lost) message += fmt::format("; what was overwritten lies in {}", record.undo_dir().string());
  return Ended{direction == Direction::to_old ? "put back" : "redone", std::move(message)};
}

}  // namespace

Result<void> take_back(RunRecord& record, std::vector<StagedDisk>& disks, const image::BlockServerOptions& server, const image::Progress& progress,
                       const CommitProtocol::Alone& alone) {
  VMPATCH_CHECK(record.advance(RunState::committing, {{"direction", to_string(Direction::to_old)}}));
  VMPATCH_TRY(auto fresh, image::BlockServer::start(server));
  CommitProtocol protocol(fresh, disks, progress, alone);
  VMPATCH_CHECK(protocol.write(Direction::to_old));
  return fresh.stop();
}

Result<void> attest_committed(const Environment& environment, RunRecord& record, const Identities& after) {
  const auto& run = record.run();
  VMPATCH_TRY(const auto attestation, make_attestation(environment, run.machine_uuid, run.machine_name, run.id, after,
                                                       run.detail.value("satisfied", Json::array())));
  VMPATCH_CHECK(record.attest(attestation));
  clean_up(environment, record.run(), false);
  return {};
}

Result<Ended> end_written(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction,
                          std::uint64_t bytes) {
  VMPATCH_TRY(const auto after, unfinished.finish());
  const bool proven = direction == Direction::to_new && !record.run().detail.value("unproven", false);
  if (!proven) return discard(environment, record, unfinished, direction, bytes);
  VMPATCH_CHECK(record.advance_keeping_undo(RunState::committed, {{"after", to_json(after)}}, {}, undo_size(unfinished.recorded())));
  VMPATCH_CHECK(attest_committed(environment, record, after));
  return Ended{"redone", fmt::format("the interrupted commit was done again ({})", format_size(bytes))};
}

}  // namespace vmpatch::engine
