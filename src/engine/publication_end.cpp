#include "engine/publication_end.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

std::string names_of(const std::vector<Version>& versions) {
  std::vector<std::string> names;
  for (const auto& version : versions) {
    std::error_code error;
    if (fs::exists(version.to, error)) names.push_back(escape_untrusted(version.to.string()));
  }
  return names.empty() ? "nothing of it is left" : fmt::format("{} stay, unattested", fmt::join(names, ", "));
}

/// Those that are there: a run may have been cut off before the first got its name.
Result<std::vector<inventory::BareImage>> images_of(const ledger::Run& run, const std::vector<Version>& versions) {
  std::vector<inventory::BareImage> images;
  for (const auto& version : versions) {
    std::error_code error;
    const bool old_there = fs::exists(version.from, error);
    const bool new_there = fs::exists(version.to, error);
    if (!old_there && !new_there) {
      return fail(Errc::not_found, "neither {} nor {} is there; mount their folder, or, if they are gone for good, end the run with 'vm-patch recover {} --to keep'",
                  escape_untrusted(version.from.string()), escape_untrusted(version.to.string()), run.id);
    }
    if (old_there) images.push_back({version.from, version.format});
    if (new_there) images.push_back({version.to, version.format});
  }
  return images;
}

bool made_files(const std::vector<Version>& versions) {
  return std::any_of(versions.begin(), versions.end(), [](const auto& version) { return !version.part.empty(); });
}

Result<Ended> discard(RunRecord& record, const std::string& action, std::string message) {
  if (!record.run().error.empty()) message += ": " + record.run().error;
  VMPATCH_CHECK(record.advance(RunState::discarded, Json::object(), message));
  return Ended{action, std::move(message)};
}

}  // namespace

Result<Ended> end_publication(const Environment& environment, RunRecord& record) {
  VMPATCH_TRY(const auto versions, versions_of(record.run()));
  VMPATCH_TRY(const auto images, images_of(record.run(), versions));
  VMPATCH_TRY(const auto users, environment.users_of(images));
  const auto machine = std::find_if(users.begin(), users.end(), [&](const auto& one) { return one.uuid == record.run().machine_uuid; });
  switch (named_by(machine == users.end() ? nullptr : &*machine, versions)) {
    case Named::old_files:
      VMPATCH_CHECK(remove_versions(versions));
      clean_up(environment, record.run(), true);
      return discard(record, "put back", made_files(versions) ? "interrupted while it was published; the machine has its old files, and the new ones were removed"
                                                              : "interrupted before the machine got other files; it has those that it had");
    case Named::new_files: {
      VMPATCH_TRY(const auto settled, settle_published(environment, *machine, versions, {}, record));
      VMPATCH_CHECK(record.advance(RunState::committed, settled.detail));
      return attest_late(environment, record);
    }
    case Named::others: break;
  }
  // Somebody decided otherwise. What the run made may be what he wants.
  clean_up(environment, record.run(), true);
  return discard(record, "kept", fmt::format("interrupted while it was published; the machine has neither its old files nor the new ones, or is gone; {}", names_of(versions)));
}

}  // namespace vmpatch::engine
