#include "cli/scan/snapshot_lag.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {

bool is_further_behind(const report::Lag& a, const report::Lag& b) {
  const auto days = [](const report::Lag& lag) { return lag.days.value_or(lag.packages > 0 ? 0 : -1); };
  if (days(a) != days(b)) return days(a) > days(b);
  return a.packages > b.packages;
}

SnapshotLags::SnapshotLags(const fleet::Survey& survey, std::size_t machine, Unassessable& unassessable) {
  const inventory::Machine& about = survey.machines()[machine].machine;
  const auto& lags = survey.snapshots(machine);
  for (std::size_t i = 0; i < lags.size(); ++i) {
    const inventory::Snapshot& snapshot = about.snapshots[i];
    entries_.push_back({&snapshot, lags[i] ? std::optional(*lags[i]) : std::nullopt});
    if (!lags[i]) unassessable.add(inventory::at_snapshot(about, snapshot), lags[i].error());
  }
}

const SnapshotLags::Entry* SnapshotLags::worst() const {
  const Entry* worst = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.lag && (worst == nullptr || is_further_behind(*entry.lag, *worst->lag))) worst = &entry;
  }
  return worst;
}

std::string SnapshotLags::text() const {
  const auto silent = std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return !entry.lag; });
  const Entry* found = worst();
  std::string text = found == nullptr ? "" : fmt::format("{} ({}): {}", escape_untrusted(found->snapshot->name),
                                                         format_time(found->snapshot->taken).substr(0, 10), format_lag(found->lag));
  if (silent > 0) text += fmt::format("{}{} not assessed", text.empty() ? "" : "; ", silent);
  return text.empty() ? "-" : text;
}

void SnapshotLags::add_to(Json& json) const {
  Json all = Json::array();
  for (const Entry& entry : entries_) {
    all.push_back({{"name", entry.snapshot->name},
                   {"kind", inventory::to_string(entry.snapshot->kind)},
                   {"taken", format_time(entry.snapshot->taken)},
                   {"memory", entry.snapshot->memory},
                   {"lag", entry.lag ? report::to_json(*entry.lag) : Json()}});
  }
  json["snapshots"] = std::move(all);
  const Entry* found = worst();
  json["worst_snapshot"] = found == nullptr ? Json() : Json(found->snapshot->name);
}

}  // namespace vmpatch::cli
