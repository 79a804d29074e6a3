#include "guest/mount_order.hpp"

#include <algorithm>
#include <set>

#include "guest/mount_kinds.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

void drop_missing(std::vector<PlannedMount>& mounts) {
  std::set<std::string> mounted;
  for (const PlannedMount& mount : mounts) {
    if (!mount.blocked) mounted.insert(mount.where);
  }
  std::erase_if(mounts, [&](const PlannedMount& mount) { return mount.blocked && !mount.left_out && mounted.contains(mount.where); });
}

bool needs(const PlannedMount& mount, const PlannedMount& other) {
  if (mount.where != other.where && is_at_or_below(mount.where, other.where)) return true;
  return !mount.bound_from.empty() && is_at_or_below(mount.bound_from, other.where);
}

Result<void> block(PlannedMount& mount) {
  Error why = fail(Errc::refused, "fstab: the bind mount of {} at {} needs itself; remove the line from the guest's fstab, or patch it while it runs",
                   escape_untrusted(mount.bound_from), escape_untrusted(mount.where));
  if (is_vital(mount.where)) return why;
  mount.bound_from.clear();
  mount.blocked = std::move(why);
  mount.left_out = true;
  return {};
}

}  // namespace

Result<void> put_in_order(std::vector<PlannedMount>& mounts) {
  drop_missing(mounts);
  const auto depth = [](const PlannedMount& mount) { return std::count(mount.where.begin(), mount.where.end(), '/'); };
  std::stable_sort(mounts.begin(), mounts.end(), [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
  if (std::all_of(mounts.begin(), mounts.end(), [](const PlannedMount& mount) { return mount.bound_from.empty(); })) return {};

  const std::size_t count = mounts.size();
  std::vector<std::size_t> waits(count, 0);
  std::vector<std::vector<std::size_t>> waiting(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      if (i == j || !needs(mounts[i], mounts[j])) continue;
      ++waits[i];
      waiting[j].push_back(i);
    }
  }
  std::set<std::size_t> ready;
  std::set<std::size_t> left;
  for (std::size_t i = 0; i < count; ++i) (waits[i] == 0 ? ready : left).insert(i);
  std::vector<PlannedMount> ordered;
  while (!ready.empty() || !left.empty()) {
    if (ready.empty()) {
      // A circle goes through a bind mount: a folder alone needs only shallower ones.
      const auto bind = std::find_if(left.begin(), left.end(), [&](std::size_t i) { return !mounts[i].bound_from.empty(); });
      VMPATCH_CHECK(block(mounts[*bind]));
      ready.insert(*bind);
      left.erase(bind);
    }
    const std::size_t next = *ready.begin();
    ready.erase(ready.begin());
    for (const std::size_t i : waiting[next]) {
      if (left.contains(i) && --waits[i] == 0) {
        left.erase(i);
        ready.insert(i);
      }
    }
    ordered.push_back(std::move(mounts[next]));
  }
  mounts = std::move(ordered);
  return {};
}

}  // namespace vmpatch::guest
