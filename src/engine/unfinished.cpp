#include "engine/unfinished.hpp"

#include <fcntl.h>

#include <set>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// Our own files: what is missing here does not come back by itself.
Result<image::OwnImage> open_log(const fs::path& path, std::uint64_t virtual_size, const ledger::Run& run, std::string_view what) {
  auto image = image::open_own_image(path, virtual_size, false);
  if (image) return image;
  return fail(Errc::refused, "the {} of run {} cannot be used: {}", what, run.id, image.error().message);
}

std::set<fs::path> undo_folders(const std::vector<RecordedDisk>& recorded) {
  std::set<fs::path> folders;
  for (const auto& disk : recorded) folders.insert(disk.undo.parent_path());
  return folders;
}

}  // namespace

Result<void> Unfinished::stage(const ledger::Run& run, Logs needed) {
  const auto lost = lost_names(run, recorded_);
  for (std::size_t i = 0; i < recorded_.size(); ++i) {
    const auto& recorded = recorded_[i];
    auto redo = open_log(recorded.overlay, recorded.virtual_size, run, "redo log");
    auto undo = open_log(recorded.undo, recorded.virtual_size, run, "undo image");
    has_redo_ = has_redo_ && redo.has_value();
    has_undo_ = has_undo_ && undo.has_value();
    const bool one_stands_for_both = needed == Logs::either && redo.has_value() != undo.has_value();
    if (one_stands_for_both && !redo) redo = open_log(recorded.undo, recorded.virtual_size, run, "undo image");
    if (one_stands_for_both && !undo) undo = open_log(recorded.overlay, recorded.virtual_size, run, "redo log");
    VMPATCH_CHECK(redo);
    VMPATCH_CHECK(undo);
    staged_->push_back({held_.disks()[i], std::move(*redo), std::move(*undo), {}});
    const auto names = lost.find(recorded.target);
    if (names == lost.end() || names->second.empty()) continue;
    // Where it is gone, what is of it on the disk is foreign again: seen, told, and no way is closed by it.
    auto copy = image::open_own_image(recorded.undo.parent_path() / names->second.back(), recorded.virtual_size, false);
    if (copy) staged_->back().lost = std::move(*copy);
  }
  return {};
}

Result<Unfinished> Unfinished::open(const Environment& environment, const ledger::Run& run, Logs needed) {
  VMPATCH_TRY(auto recorded, recorded_disks(run));
  VMPATCH_TRY(auto held, HeldMachine::take_again(environment, run, recorded));
  VMPATCH_TRY(auto scratch, reading::Scratch::make(environment.places.scratch, "redo-" + run.id.substr(0, 13)));
  VMPATCH_CHECK(make_dirs(environment.places.logs, 0700));
  const auto log_path = environment.places.logs / (run.id + ".log");
  UniqueFd log(::open(log_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  Unfinished all(std::move(scratch), std::move(log), std::move(recorded), std::move(held));
  VMPATCH_TRY(all.writes_may_be_lost_, host_went_down(run));
  all.staged_ = std::make_unique<std::vector<StagedDisk>>();
  if (needed == Logs::none) all.has_redo_ = all.has_undo_ = false;
  else VMPATCH_CHECK(all.stage(run, needed));
  VMPATCH_TRY(auto server, image::BlockServer::start({all.scratch_.path() / "nbd", all.log_.get()}));
  all.server_ = std::make_unique<image::BlockServer>(std::move(server));
  auto alone = [&environment, run, recorded = all.recorded_, &still = all.held_] { return still.check_alone(environment, run, recorded); };
  all.protocol_.emplace(*all.server_, *all.staged_, image::Progress(), std::move(alone));
  return all;
}

Result<std::vector<Standing>> Unfinished::look() { return protocol_->look(writes_may_be_lost_); }

Result<guest::OpenRequest> Unfinished::export_disks(const Environment& environment) {
  guest::OpenRequest request;
  for (const auto& disk : held_.disks()) {
    VMPATCH_TRY(auto source, server_->export_chain(disk.chain, disk.target + "-prove"));
    request.disks.push_back({std::move(source), true});
  }
  request.work_dir = scratch_.path();
  request.cache_dir = environment.places.cache;
  request.log_fd = log_.get();
  return request;
}

Result<reading::Identities> Unfinished::finish() {
  VMPATCH_CHECK(server_->stop());
  return held_.identify_again();
}

Result<void> remove_leftovers(const Environment& environment, const ledger::Run& run, bool with_undo) {
  VMPATCH_CHECK(remove_tree(environment.run_places.runs / run.id));
  // Its name is ours by construction; the record is only a hint and never removed blindly.
  VMPATCH_CHECK(remove_tree(environment.places.scratch / run.id.substr(0, 13)));
  if (with_undo) VMPATCH_CHECK(remove_tree(environment.run_places.undo / run.id));
  return {};
}

void clean_up(const Environment& environment, const ledger::Run& run, bool with_undo) {
  if (auto removed = remove_leftovers(environment, run, with_undo); !removed) environment.log.warn("{}", removed.error().message);
}

std::uint64_t undo_size(const std::vector<RecordedDisk>& recorded) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& folder : undo_folders(recorded)) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const auto size = entry.file_size(error);
      if (!error) bytes += size;
    }
  }
  return bytes;
}

std::string foreign_text(const std::vector<Standing>& standings) {
  std::string text;
  for (const auto& standing : standings) {
    if (standing.foreign == 0) continue;
    text += fmt::format("{}{}: {} are neither the old nor the new content (first at byte {})", text.empty() ? "" : "; ",
                        escape_untrusted(standing.target), format_size(standing.foreign), standing.relation.first_other.value_or(0));
  }
  return text;
}

}  // namespace vmpatch::engine
