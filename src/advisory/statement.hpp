#pragma once
// What one record of one feed says of one package in one release: the common form that all feeds are read into.

#include <cstdint>
#include <string_view>
#include <vector>

#include "advisory/distribution.hpp"
#include "advisory/text_pool.hpp"
#include "vmpatch/advisory/database.hpp"

namespace vmpatch::advisory {

/// Who is believed when records differ; higher wins. See README.md.
enum class Rank : std::uint8_t { general, osv, tracker, vex };

/// Which of a machine's packages a name means.
enum class Naming : std::uint8_t { source, binary, either };

enum class Claim : std::uint8_t {
  ranges,         ///< affected inside of events and versions, not affected outside
  inside,         ///< affected inside of events and versions, silent about all others
  fixed_in,       ///< affected below `fixed`
  open,           ///< affected, no fix; unless `fixed` (in the development release) is reached
  investigating,
  not_affected,   ///< inside of events and versions, when there are any, and silent about all others
  withdrawn
};

/// One copy of a record; see Store::begin().
using CopyNumber = std::uint32_t;
constexpr CopyNumber no_copy = 0;

struct Event {
  enum class Kind : std::uint8_t { introduced, fixed, last_affected, limit };
  Text version = 0;
  std::uint16_t range = 0;  ///< events of one range stand together
  Kind kind = Kind::introduced;
};

/// Statement::module of a record on a module whose stream it does not tell.
constexpr std::string_view untold_stream = "*";

struct Statement {
  std::uint32_t advisory = 0;
  Rank rank = Rank::osv;
  Naming naming = Naming::source;
  Claim claim = Claim::ranges;
  FeedKind kind = FeedKind::osv;
  bool partial = false;  ///< a part was not understood: outside of the rest nothing is known
  Distribution distribution = Distribution::any;
  Text release = 0;  ///< normal form; 0 = every release
  Text record = 0;   ///< the feed's own id
  CopyNumber copy = no_copy;
  Text module = 0;   ///< stream of an rpm module: "perl:5.32"; 0 = of none; untold_stream
  Text note = 0;     ///< in words, hostile text
  Text fixed = 0;
  Text ceiling = 0;  ///< Debian's tracker: the highest version that the release has; 0 = not told
  std::vector<Event> events;
  std::vector<Text> versions;
};

}  // namespace vmpatch::advisory
