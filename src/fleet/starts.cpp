#include "vmpatch/fleet/starts.hpp"

#include <algorithm>

#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

constexpr std::size_t page = 10'000;

/// libvirt calls the hook with `started` once for a cold boot, a restore and a revert alike; `prepare` and `restore` before it
/// may be denied.
bool is_start(const ledger::AuditRow& row) {
  return (row.action == "gate.allow" || row.action == "gate.warn") && row.data.is_object() && row.data.value("operation", "") == "started";
}

bool is_seen_by_gate(const inventory::Machine& machine) { return machine.local && !machine.bare; }

}  // namespace

Result<Starts> Starts::load(const std::filesystem::path& custody) {
  Starts starts;
  const auto store = ledger::CustodyStore::open(custody, {.create = false});
  if (!store && store.error().code == Errc::not_found) return starts;
  if (!store) return store.error();
  for (std::int64_t next = 0;;) {
    VMPATCH_TRY(const auto rows, (*store)->records(next, page));
    for (const ledger::AuditRow& row : rows) {
      if (!starts.since_) starts.since_ = row.time;
      next = std::max(next, row.sequence + 1);
      if (!is_start(row)) continue;
      Count& count = starts.by_uuid_[row.subject];
      ++count.starts;
      count.last = std::max(count.last, row.time);
    }
    if (rows.size() < page) return starts;
  }
}

std::optional<Time> Starts::last(const inventory::Machine& machine) const {
  const auto found = by_uuid_.find(machine.uuid);
  if (found == by_uuid_.end() || !is_seen_by_gate(machine)) return std::nullopt;
  return found->second.last;
}

std::optional<double> Starts::per_week(const inventory::Machine& machine, Time now) const {
  if (!since_ || !is_seen_by_gate(machine)) return std::nullopt;
  const auto found = by_uuid_.find(machine.uuid);
  const auto weeks = std::chrono::duration<double, std::ratio<7 * 86400>>(now - *since_).count();
  return static_cast<double>(found == by_uuid_.end() ? 0 : found->second.starts) / std::max(1.0, weeks);
}

std::optional<LastStart> find_last_start(const Starts& starts, const inventory::Machine& machine, const guest::Facts* facts, Time now) {
  std::optional<LastStart> newest;
  if (const auto seen = starts.last(machine); seen && *seen <= now) newest = LastStart{*seen, "gate records"};
  if (facts == nullptr || !facts->last_boot.time) return newest;
  // Within the range of Time, before the seconds become nanoseconds.
  const std::int64_t limit = std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count();
  const std::int64_t traced = *facts->last_boot.time;
  if (traced <= 0 || traced > limit) return newest;
  const Time time{Seconds(traced)};
  if (!newest || time > newest->time) newest = LastStart{time, facts->last_boot.source};
  return newest;
}

}  // namespace vmpatch::fleet
