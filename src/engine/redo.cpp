#include "engine/redo.hpp"

#include <fcntl.h>

#include <chrono>
#include <thread>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

std::vector<fs::path> recorded_dirs(const ledger::Run& run) {
  std::vector<fs::path> dirs;
  if (const auto found = run.detail.find("allowed_dirs"); found != run.detail.end() && found->is_array()) {
    for (const auto& dir : *found) {
      if (dir.is_string()) dirs.emplace_back(dir.get<std::string>());
    }
  }
  return dirs;
}

Result<void> check_same_file(const image::Chain& chain, const RecordedDisk& recorded, const ledger::Run& run) {
  struct stat status {};
  if (::fstat(chain.top().fd.get(), &status) != 0) return errno_error(errno, recorded.path.string());
  if (status.st_dev == recorded.device && status.st_ino == recorded.inode) return {};
  return fail(Errc::refused, "{} is not the file that run {} worked on; put that file back and run 'vm-patch recover --retry'",
              recorded.path.string(), run.id);
}

/// The QEMU of a killed process ends a moment after it: its descriptor still says that the disk is being written.
Result<image::ChainLock> lock_when_free(const image::Chain& chain) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    auto lock = image::ChainLock::acquire(chain, image::Sharing::nobody);
    if (lock || lock.error().code != Errc::busy || std::chrono::steady_clock::now() > deadline) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

Result<std::vector<StagedDisk>> open_recorded(const ledger::Run& run, const std::vector<RecordedDisk>& recorded) {
  image::OpenPolicy policy;
  policy.allowed_dirs = recorded_dirs(run);
  std::vector<StagedDisk> staged;
  for (const auto& disk : recorded) {
    VMPATCH_TRY(auto chain, image::Chain::open(disk.path, disk.format, policy));
    VMPATCH_CHECK(check_same_file(chain, disk, run));
    VMPATCH_TRY(auto overlay, image::open_own_image(disk.overlay, disk.virtual_size, false));
    staged.push_back({{disk.target, std::move(chain)}, std::move(overlay)});
  }
  return staged;
}

Result<Identities> redo_commit(const Environment& environment, const ledger::Run& run,
                               const std::vector<RecordedDisk>& recorded, std::uint64_t& changed_bytes) {
  VMPATCH_TRY(const auto scratch, Scratch::make(environment.places.scratch, "redo-" + run.id.substr(0, 13)));
  VMPATCH_CHECK(make_dirs(environment.places.logs, 0700));
  const auto log_path = environment.places.logs / (run.id + ".log");
  const UniqueFd log(::open(log_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  VMPATCH_TRY(auto staged, open_recorded(run, recorded));
  std::vector<image::ChainLock> locks;
  for (const auto& disk : staged) {
    VMPATCH_TRY(auto lock, lock_when_free(disk.disk.chain));
    locks.push_back(std::move(lock));
  }
  VMPATCH_TRY(auto server, image::BlockServer::start({scratch.path() / "nbd", log.get()}));
  for (const auto& disk : staged) {
    VMPATCH_TRY(const auto bytes, commit_overlay(server, disk, [](std::uint64_t, std::uint64_t) {}));
    changed_bytes += bytes;
  }
  VMPATCH_CHECK(server.stop());
  std::vector<OpenDisk> disks;
  for (auto& disk : staged) disks.push_back(std::move(disk.disk));
  return identify(disks);
}

Result<void> remove_leftovers(const Environment& environment, const ledger::Run& run, bool with_undo) {
  VMPATCH_CHECK(remove_tree(environment.places.runs / run.id));
  // Its name is ours by construction; the record is only a hint and never removed blindly.
  VMPATCH_CHECK(remove_tree(environment.places.scratch / run.id.substr(0, 13)));
  if (with_undo) VMPATCH_CHECK(remove_tree(environment.places.undo / run.id));
  return {};
}

Result<void> sweep(const Environment& environment) {
  VMPATCH_CHECK(remove_abandoned_scratch(environment.places.scratch));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(environment.places.runs, error)) {
    ledger::RunFilter filter;
    filter.run_id = entry.path().filename().string();
    VMPATCH_TRY(const auto runs, environment.store.runs(filter));
    if (runs.empty() || !ledger::is_final(runs.front().state)) continue;
    const auto& run = runs.front();
    VMPATCH_CHECK(remove_leftovers(environment, run, run.kind == "apply" && run.state != ledger::RunState::attested));
  }
  return {};
}

}  // namespace vmpatch::engine
