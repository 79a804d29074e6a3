#include "ledger/sqlite/leftover_runs.hpp"

#include <algorithm>
#include <map>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::size_t most_named = 5;

Result<std::map<std::string, bool>> known_runs(Database& ledger) {
  VMPATCH_TRY(Statement select, ledger.prepare("SELECT id, state IN ('attested', 'discarded', 'failed') FROM runs"));
  std::map<std::string, bool> ended;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return ended;
    ended[select.text(0)] = select.integer(1) != 0;
  }
}

Result<std::vector<fs::path>> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory(error)) found.push_back(at->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(Errc::failed, "cannot look at {}: {}", folder.string(), error.message());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

Result<void> check_leftover_runs(const fs::path& state_dir, Database* ledger) {
  std::map<std::string, bool> ended;
  if (ledger != nullptr) {
    VMPATCH_TRY(ended, known_runs(*ledger));
  }
  std::vector<fs::path> left;
  VMPATCH_TRY(const auto work, folders_in(state_dir / "runs"));
  std::ranges::copy_if(work, std::back_inserter(left), [&](const fs::path& folder) {
    const auto run = ended.find(folder.filename().string());
    return run == ended.end() || run->second;
  });
  VMPATCH_TRY(const auto undo, folders_in(state_dir / "undo"));
  std::ranges::copy_if(undo, std::back_inserter(left), [&](const fs::path& folder) { return !ended.contains(folder.filename().string()); });
  if (left.empty()) return {};
  std::string names;
  for (std::size_t i = 0; i < std::min(left.size(), most_named); ++i) names += (i == 0 ? "" : ", ") + escape_untrusted(left[i].string());
  return fail(Errc::refused, "{} folder(s) are of runs that the records do not know as unfinished ({}{}): such a run may have been writing a "
              "disk, which is then between old and new, and nothing would keep its machine from starting; see which disks they are of "
              "(qemu-img info of the images there), check or restore these, and move the folders away", left.size(), names,
              left.size() > most_named ? ", …" : "");
}

}  // namespace vmpatch::ledger
