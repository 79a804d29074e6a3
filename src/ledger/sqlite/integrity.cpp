#include "vmpatch/ledger/integrity.hpp"

#include <algorithm>
#include <array>

#include "ledger/sqlite/examine.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// What an audit row tells of the problems; the rest is a number.
constexpr std::size_t most_told = 100;

struct Place {
  const char* name;
  const RecordSchema& (*schema)();
};
constexpr std::array<Place, 2> places{{{"ledger.sqlite", ledger_schema}, {"custody.sqlite", custody_schema}}};

bool is_known(const fs::path& state_dir, const Place& place) {
  std::error_code error;
  // What cannot be looked at is there: opening it says why.
  if (fs::exists(state_dir / place.name, error) || error) return true;
  const auto heads = Anchor(state_dir).read();
  const Head* head = heads ? find_head(*heads, place.schema().chain) : nullptr;
  return head != nullptr && head->sequence > 0;
}

Result<Examined> examine_one(const fs::path& state_dir, const Place& place) {
  const fs::path file = state_dir / place.name;
  auto sealed = SealedDatabase::open_unchecked(file, place.schema(), {.mode = Database::Mode::read_only});
  if (sealed) return examine(*sealed);
  Examined lost{.chain = std::string(place.schema().chain), .file = file, .rows = 0, .newest = {}, .anchored = {}, .accepted = {},
                .problems = {sealed.error().message}};
  return lost;
}

Json told(const std::vector<std::string>& problems) {
  Json list = Json::array();
  for (const std::string& problem : problems) {
    if (list.size() == most_told) break;
    list.push_back(problem);
  }
  return list;
}

Result<Head> accept_one(const fs::path& state_dir, const Place& place, const Examined& before, const std::string& reason, const Clock& clock) {
  if (before.problems.empty()) return before.newest;
  VMPATCH_TRY(SealedDatabase sealed, SealedDatabase::open_unchecked(state_dir / place.name, place.schema(), {}));
  return sealed.accept(clock.now(), {{"reason", reason}, {"problems", told(before.problems)}, {"problem_count", before.problems.size()}});
}

}  // namespace

bool has_records(const fs::path& state_dir) {
  return std::ranges::any_of(places, [&](const Place& place) { return is_known(state_dir, place); });
}

Result<std::vector<Examined>> examine_records(const fs::path& state_dir) {
  std::vector<Examined> all;
  for (const Place& place : places) {
    if (!is_known(state_dir, place)) continue;
    VMPATCH_TRY(Examined examined, examine_one(state_dir, place));
    all.push_back(std::move(examined));
  }
  return all;
}

Result<std::vector<Examined>> accept_records(const fs::path& state_dir, const std::string& reason, const Clock& clock) {
  VMPATCH_TRY(auto before, examine_records(state_dir));
  if (std::ranges::all_of(before, [](const Examined& one) { return one.problems.empty(); })) return before;
  std::vector<Head> heads;
  for (const Examined& one : before) {
    const auto place = std::ranges::find_if(places, [&](const Place& p) { return p.schema().chain == one.chain; });
    VMPATCH_TRY(heads.emplace_back(), accept_one(state_dir, *place, one, reason, clock));
  }
  VMPATCH_CHECK(Anchor(state_dir).replace(heads));
  return before;
}

}  // namespace vmpatch::ledger
