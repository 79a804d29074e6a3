#include "engine/run_record.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::engine {

Json to_json(const RecordedDisk& disk) {
  return {{"target", disk.target},   {"path", disk.path.string()},       {"format", image::to_string(disk.format)},
          {"overlay", disk.overlay.string()}, {"undo", disk.undo.string()}, {"virtual_size", disk.virtual_size},
          {"device", disk.device},   {"inode", disk.inode}};
}

Result<std::vector<RecordedDisk>> recorded_disks(const ledger::Run& run) {
  std::vector<RecordedDisk> disks;
  try {
    for (const auto& json : run.detail.at("disks")) {
      VMPATCH_TRY(const auto format, image::parse_format(json.at("format").get<std::string>()));
      disks.push_back({json.at("target"), json.at("path").get<std::string>(), format, json.at("overlay").get<std::string>(),
                       json.at("undo").get<std::string>(), json.at("virtual_size"), json.at("device"), json.at("inode")});
    }
  } catch (const Json::exception& problem) {
    return fail(Errc::failed, "run {}: the ledger's record of its disks cannot be read: {}", run.id, problem.what());
  }
  return disks;
}

std::vector<RecordedDisk> record_disks(const std::vector<OpenDisk>& disks, const fs::path& work_dir, const fs::path& undo_dir) {
  std::vector<RecordedDisk> recorded;
  for (const auto& disk : disks) {
    const auto& top = disk.chain.top();
    struct stat status {};
    (void)::fstat(top.fd.get(), &status);
    recorded.push_back({disk.target, top.path, top.format, work_dir / (disk.target + ".overlay.qcow2"),
                        undo_dir / (disk.target + ".undo.qcow2"), disk.chain.virtual_size(), status.st_dev, status.st_ino});
  }
  return recorded;
}

Result<void> RunRecord::transition(ledger::RunState to, const std::function<Result<void>()>& act) {
  const auto name = ledger::to_string(to);
  if (environment_.on_transition) environment_.on_transition("before", name);
  VMPATCH_CHECK(act());
  run_.state = to;
  if (environment_.on_transition) environment_.on_transition("after", name);
  return {};
}

Result<void> RunRecord::create() {
  VMPATCH_TRY(run_.holder, ledger::this_holder());
  return transition(ledger::RunState::planned, [&] { return environment_.store.create_run(run_); });
}

Result<void> RunRecord::lease() {
  return transition(ledger::RunState::leased, [&] { return environment_.store.lease(run_.id, run_.holder, {}); });
}

Result<void> RunRecord::advance(ledger::RunState to, const Json& detail, const std::string& error) {
  return transition(to, [&] { return environment_.store.advance(run_.id, run_.state, to, detail, error); });
}

Result<void> RunRecord::attest(const ledger::Attestation& attestation) {
  return transition(ledger::RunState::attested, [&] { return environment_.store.attest(run_.id, attestation); });
}

}  // namespace vmpatch::engine
