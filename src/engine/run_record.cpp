#include "engine/run_record.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// 1: the top layer was known by device and inode number alone. 2: by lasting names, with strategy and direction.
constexpr unsigned newest_schema = 2;

Result<void> check_readable(const ledger::Run& run) {
  const auto schema = run.detail.value("schema", 1U);
  const auto strategy = run.detail.value("strategy", std::string(to_string(Strategy::in_place)));
  const bool known = strategy == to_string(Strategy::in_place) || strategy == to_string(Strategy::publish);
  if (schema <= newest_schema && known) return {};
  return fail(Errc::refused, "run {} was recorded by a newer vm-patch (schema {}, strategy {}); end it with that one", run.id, schema,
              escape_untrusted(strategy));
}

/// No disk is written yet, and `to` is no ending. From the point of no return on, what was begun is finished first.
bool may_still_end(ledger::RunState from, ledger::RunState to) {
  using ledger::RunState;
  if (from == RunState::committing || from == RunState::committed || from == RunState::quarantined) return false;
  return to != RunState::discarded && to != RunState::failed && to != RunState::quarantined;
}

std::vector<std::string> strings_of(const Json& list) {
  std::vector<std::string> strings;
  if (!list.is_array()) return strings;
  for (const auto& entry : list) {
    if (entry.is_string()) strings.push_back(entry.get<std::string>());
  }
  return strings;
}

}  // namespace

std::string_view to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::in_place: return "in-place";
    case Strategy::publish: return "publish";
  }
  return "";
}

Strategy strategy_for(const inventory::Machine& machine) { return inventory::must_publish(machine) ? Strategy::publish : Strategy::in_place; }

Strategy strategy_of(const ledger::Run& run) {
  return run.detail.value("strategy", std::string()) == to_string(Strategy::publish) ? Strategy::publish : Strategy::in_place;
}

std::string_view to_string(Direction direction) { return direction == Direction::to_old ? "old" : "new"; }

Json to_json(const RecordedDisk& disk) {
  return {{"target", disk.target},   {"path", disk.path.string()},       {"format", image::to_string(disk.format)},
          {"overlay", disk.overlay.string()}, {"undo", disk.undo.string()}, {"virtual_size", disk.virtual_size},
          {"layers", disk.layers}};
}

Result<std::vector<RecordedDisk>> recorded_disks(const ledger::Run& run) {
  VMPATCH_CHECK(check_readable(run));
  std::vector<RecordedDisk> disks;
  try {
    for (const auto& json : run.detail.at("disks")) {
      VMPATCH_TRY(const auto format, image::parse_format(json.at("format").get<std::string>()));
      disks.push_back({json.at("target"), json.at("path").get<std::string>(), format, json.at("overlay").get<std::string>(),
                       json.at("undo").get<std::string>(), json.at("virtual_size"), strings_of(json.value("layers", Json::array()))});
      if (!json.contains("layers")) disks.back().only_inode = json.at("inode").get<std::uint64_t>();
    }
  } catch (const Json::exception& problem) {
    return fail(Errc::failed, "run {}: the ledger's record of its disks cannot be read: {}", run.id, problem.what());
  }
  if (disks.empty()) return fail(Errc::failed, "run {}: the ledger's record names no disk", run.id);
  return disks;
}

Json staged_detail(Strategy strategy, const std::vector<RecordedDisk>& disks, const std::vector<fs::path>& allowed_dirs) {
  Json list = Json::array();
  for (const auto& disk : disks) list.push_back(to_json(disk));
  Json dirs = Json::array();
  for (const auto& dir : allowed_dirs) dirs.push_back(dir.string());
  return {{"schema", newest_schema}, {"strategy", to_string(strategy)}, {"disks", list}, {"allowed_dirs", dirs}};
}

Result<std::vector<RecordedDisk>> record_disks(const std::vector<reading::OpenDisk>& disks, const fs::path& work_dir, const fs::path& undo_dir) {
  std::vector<RecordedDisk> recorded;
  for (const auto& disk : disks) {
    const auto& top = disk.chain.top();
    VMPATCH_TRY(const auto identity, disk.chain.identity());
    RecordedDisk entry{disk.target, disk.source, top.format, work_dir / (disk.target + ".overlay.qcow2"),
                       undo_dir / (disk.target + ".undo.qcow2"), disk.chain.virtual_size(), {}};
    for (const auto& layer : identity) entry.layers.push_back(image::file_id(layer));
    recorded.push_back(std::move(entry));
  }
  return recorded;
}

bool is_recorded_file(const RecordedDisk& recorded, const image::DiskIdentity& now) {
  if (now.empty()) return false;
  if (recorded.only_inode) return now.front().inode == 0 || now.front().inode == *recorded.only_inode;
  if (recorded.layers.size() != now.size()) return false;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (recorded.layers[i] != image::file_id(now[i])) return false;
  }
  return true;
}

std::vector<fs::path> recorded_dirs(const ledger::Run& run) {
  const auto dirs = strings_of(run.detail.value("allowed_dirs", Json::array()));
  return {dirs.begin(), dirs.end()};
}

Time committing_since(const ledger::Run& run) {
  const auto found = run.detail.find("committing_since");
  if (found == run.detail.end() || !found->is_number_integer()) return Time::max();
  return Time(std::chrono::nanoseconds(found->get<std::int64_t>()));
}

Direction direction_of(const ledger::Run& run) {
  return run.detail.value("direction", std::string()) == to_string(Direction::to_old) ? Direction::to_old : Direction::to_new;
}

bool has_lost(const ledger::Run& run) { return run.detail.value("lost", false); }

LostNames lost_names(const ledger::Run& run, const std::vector<RecordedDisk>& disks) {
  LostNames names;
  if (!has_lost(run)) return names;
  const auto recorded = run.detail.value("lost_files", Json::object());
  for (const auto& disk : disks) {
    // Of before names were recorded.
    names[disk.target] = {disk.undo.filename().string() + ".lost"};
    if (recorded.is_object() && recorded.contains(disk.target)) names[disk.target] = strings_of(recorded.at(disk.target));
  }
  return names;
}

std::vector<std::string> accepted_remarks(const ledger::Run& run) {
  const auto found = run.detail.find("accepted");
  return found == run.detail.end() ? std::vector<std::string>() : strings_of(*found);
}

Result<Json> committing_detail(const Environment& environment) {
  VMPATCH_TRY(const auto boot, boot_id());
  return Json{{"committing_since", environment.clock.now().time_since_epoch().count()}, {"boot", boot},
              {"direction", to_string(Direction::to_new)}};
}

Result<bool> host_went_down(const ledger::Run& run) {
  VMPATCH_TRY(const auto boot, boot_id());
  return run.detail.value("boot", std::string()) != boot;
}

std::vector<std::string> disk_keys(Strategy strategy, const reading::Identities& identities) {
  const std::string_view prefix = strategy == Strategy::publish ? "publish:" : "";
  std::vector<std::string> keys;
  for (const auto& [target, identity] : identities) keys.push_back(fmt::format("{}{}", prefix, image::file_id(identity.front())));
  return keys;
}

std::vector<std::string> backing_keys(const reading::Identities& identities) {
  std::vector<std::string> keys;
  for (const auto& [target, layers] : identities) {
    for (std::size_t i = 1; i < layers.size(); ++i) keys.push_back(image::file_id(layers[i]));
  }
  return keys;
}

Result<void> RunRecord::transition(ledger::RunState to, const std::function<Result<void>()>& act) {
  const auto name = ledger::to_string(to);
  if (environment_.on_transition) VMPATCH_CHECK(environment_.on_transition("before", name));
  if (may_still_end(run_.state, to)) VMPATCH_CHECK(check_interruption());
  VMPATCH_CHECK(act());
  run_.state = to;
  return environment_.on_transition ? environment_.on_transition("after", name) : Result<void>();
}

Result<void> RunRecord::create() {
  VMPATCH_TRY(run_.holder, ledger::this_holder());
  return transition(ledger::RunState::planned, [&] {
    auto created = environment_.store.create_run(run_);
    exists_ = created.has_value();
    return created;
  });
}

Result<void> RunRecord::lease(const std::vector<std::string>& disks) {
  return transition(ledger::RunState::leased, [&] { return environment_.store.lease(run_.id, run_.holder, disks); });
}

Result<void> RunRecord::write(ledger::RunState to, const Json& detail, const std::string& error) {
  VMPATCH_CHECK(environment_.store.advance(run_.id, run_.state, to, detail, error));
  run_.detail.merge_patch(detail);
  if (!error.empty()) run_.error = error;
  return {};
}

Result<void> RunRecord::advance(ledger::RunState to, const Json& detail, const std::string& error) {
  return transition(to, [&] { return write(to, detail, error); });
}

Result<void> RunRecord::advance_keeping_undo(ledger::RunState to, const Json& detail, const std::string& error, std::uint64_t undo_bytes) {
  ledger::Undo undo;
  undo.run_id = run_.id;
  undo.machine_uuid = run_.machine_uuid;
  undo.machine_name = run_.machine_name;
  undo.created = environment_.clock.now();
  undo.bytes = undo_bytes;
  undo.detail = {{"folder", undo_dir().string()}};
  return transition(to, [&] {
    return environment_.store.together([&]() -> Result<void> {
      VMPATCH_CHECK(write(to, detail, error));
      return environment_.store.keep_undo(undo);
    });
  });
}

Result<void> RunRecord::attest(const ledger::Attestation& attestation) {
  return transition(ledger::RunState::attested, [&] { return environment_.store.attest(run_.id, attestation); });
}

}  // namespace vmpatch::engine
