#pragma once
// What a feed's first bytes say it is.

#include <string_view>

#include "vmpatch/advisory/database.hpp"

namespace vmpatch::advisory {

struct FeedForm {
  FeedKind kind = FeedKind::automatic;
  enum class Packing { none, zip, gzip } packing = Packing::none;
  bool is_array = false;  ///< JSON
};

constexpr std::size_t feed_head_size = 256U << 10U;

/// `head`: the first bytes, unpacked when they are gzip's. `kind` as the user said; automatic is replaced by what was found.
/// Errc::usage: the content is of another kind than `kind`. Errc::failed: nothing that is known.
Result<FeedForm> recognise_feed(std::string_view head, FeedKind kind);

[[nodiscard]] bool is_gzip(std::string_view head);

}  // namespace vmpatch::advisory
