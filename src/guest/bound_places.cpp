#include "guest/bound_places.hpp"

#include <algorithm>

#include "guest/mount_kinds.hpp"

namespace vmpatch::guest {

bool BoundPlaces::allows(const std::string& where) const {
  return std::none_of(binds_.begin(), binds_.end(), [&](const Bind& bind) {
    return is_at_or_below(where, bind.where) || is_at_or_below(where, bind.from);
  });
}

bool BoundPlaces::allows_bind(const std::string& from, const std::string& where) const {
  // What is bound already is not bound again: each would have to be seen through the other.
  if (!allows(where) || std::any_of(binds_.begin(), binds_.end(), [&](const Bind& b) { return is_at_or_below(from, b.where); })) return false;
  return std::none_of(mounts_.begin(), mounts_.end(), [&](const std::string& mount) {
    return (mount != from && is_at_or_below(mount, from)) || is_at_or_below(mount, where);
  });
}

std::vector<std::string> BoundPlaces::elsewhere(const std::string& where) const {
  std::vector<std::string> places;
  for (const auto& [from, to] : binds_) {
    if (is_at_or_below(where, to)) places.push_back(from + where.substr(to.size()));
    if (is_at_or_below(where, from)) places.push_back(to + where.substr(from.size()));
  }
  return places;
}

}  // namespace vmpatch::guest
