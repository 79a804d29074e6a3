#include "engine/ending.hpp"

#include "engine/attestable.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

Result<Ended> discard(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction, std::uint64_t bytes) {
  const auto& before = record.run();
  const bool lost = has_lost(before);
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

/// Many runs may have to be ended, before anything else can go on: an appliance for each would take too long.
Result<Attestable> prove_written(const Environment& environment, const ledger::Run& run, Unfinished& unfinished) {
  Earlier earlier;
  earlier.satisfied = run.detail.value("satisfied", Json::array());
  VMPATCH_TRY(auto request, unfinished.export_disks(environment));
  request.direct_only = true;
  return attestable_on(environment, run.machine_name, earlier, request);
}

/// With what the run itself had dropped.
Json all_dropped(const ledger::Run& run, const Attestable& may) {
  Json all = Json::array();
  const auto report = run.detail.value("report", Json::object());
  if (report.is_object() && report.contains("dropped") && report.at("dropped").is_array()) all = report.at("dropped");
  for (const auto& entry : to_json(may.dropped)) all.push_back(entry);
  return all;
}

/// Its leftovers go, too.
Result<void> attest_committed(const Environment& environment, RunRecord& record, const reading::Identities& after, const Json& satisfied) {
  const auto& run = record.run();
  VMPATCH_TRY(const auto attestation, make_attestation(environment, run.machine_uuid, run.machine_name, run.id, after, satisfied));
  VMPATCH_CHECK(record.attest(attestation));
  clean_up(environment, record.run(), false);
  return {};
}

std::string not_attested(const Attestable& may) {
  std::string text;
  for (const auto& dropped : may.dropped) {
    text += fmt::format("; not attested: {} version {}: {}", escape_untrusted(dropped.id), dropped.version, dropped.reason);
  }
  return text;
}

}  // namespace

Result<void> take_back(const Environment& environment, RunRecord& record, std::vector<StagedDisk>& disks,
                       const image::BlockServerOptions& server, const image::Progress& progress, const CommitProtocol::Alone& alone) {
  give_back_reserve(environment.run_places);
  const auto noted = record.advance(RunState::committing, {{"direction", to_string(Direction::to_old)}});
  if (!noted && !is_no_room(noted.error())) return noted;
  VMPATCH_TRY(auto fresh, image::BlockServer::start(server));
  CommitProtocol protocol(fresh, disks, progress, alone);
  VMPATCH_CHECK(protocol.write(Direction::to_old));
  return fresh.stop();
}

Result<void> note_failed(const Environment& environment, RunRecord& record, const Error& error) {
  auto noted = record.advance(RunState::failed, Json::object(), error.message);
  if (noted || !is_no_room(noted.error()) || !give_back_reserve(environment.run_places)) return noted;
  return record.advance(RunState::failed, Json::object(), error.message);
}

Result<Ended> attest_late(const Environment& environment, RunRecord& record) {
  const auto recorded = record.run().detail.find("after");
  if (recorded == record.run().detail.end()) return fail(Errc::failed, "run {}: the ledger has no identities after it", record.run().id);
  VMPATCH_TRY(const auto after, reading::identities_from_json(*recorded));
  // Since then a key may have been revoked, a newer version seen, or a disk written.
  VMPATCH_TRY(auto unfinished, Unfinished::open(environment, record.run(), Unfinished::Logs::none));
  VMPATCH_TRY(auto may, prove_written(environment, record.run(), unfinished));
  VMPATCH_TRY(const auto now, unfinished.finish());
  if (const auto difference = reading::first_difference(after, now); !difference.empty()) {
    Earlier earlier;
    earlier.satisfied = record.run().detail.value("satisfied", Json::array());
    may = nothing_attestable(earlier, "after the commit " + difference);
  }
  VMPATCH_CHECK(attest_committed(environment, record, after, may.satisfied));
  return Ended{"attested", "the finished commit was attested" + not_attested(may)};
}

Result<Ended> end_written(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction,
                          std::uint64_t bytes) {
  const bool may_prove = direction == Direction::to_new && !record.run().detail.value("unproven", false);
  Attestable may;
  if (may_prove) {
    VMPATCH_TRY(may, prove_written(environment, record.run(), unfinished));
  }
  VMPATCH_TRY(const auto after, unfinished.finish());
  if (!may_prove) return discard(environment, record, unfinished, direction, bytes);
  Json detail{{"after", reading::to_json(after)}, {"satisfied", may.satisfied}};
  if (!may.dropped.empty()) detail["report"] = {{"dropped", all_dropped(record.run(), may)}};
  VMPATCH_CHECK(record.advance_keeping_undo(RunState::committed, detail, {}, undo_size(unfinished.recorded())));
  VMPATCH_CHECK(attest_committed(environment, record, after, may.satisfied));
  return Ended{"redone", fmt::format("the interrupted commit was done again ({}){}", format_size(bytes), not_attested(may))};
}

}  // namespace vmpatch::engine
