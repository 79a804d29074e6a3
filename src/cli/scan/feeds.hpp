#pragma once
// From the locations of feeds to a database of what concerns these machines.

#include <vector>

#include "cli/scan/scan_options.hpp"
#include "vmpatch/advisory/database.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::cli {

/// Files of --feed, else of the configuration; URLs are fetched or taken from the cache. Empty when none is named.
Result<std::vector<advisory::FeedFile>> obtain_feeds(const Context& context, const ScanOptions& options, const policy::Policy& policy,
                                                     Log& log);

struct Feeds {
  advisory::Database database;
  std::vector<advisory::FeedState> states;  ///< in the order given
};

/// One that cannot be read is an error: without it a machine might look clean.
Result<Feeds> load_feeds(const std::vector<advisory::FeedFile>& files, advisory::Interest interest, Log& log);

/// A table for people.
std::string format_feeds(const std::vector<advisory::FeedState>& states, Time now);

}  // namespace vmpatch::cli
