#pragma once
// From the locations of feeds to a database of what concerns these machines.

#include <string>
#include <vector>

#include "vmpatch/advisory/database.hpp"
#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

struct FeedOptions {
  std::vector<std::string> locations;  ///< [KIND=]LOCATION; none = those of the configuration
  bool offline = false;                ///< fetch nothing: the copies that are there
  bool refresh = false;                ///< ask the servers even if the copies are young
  std::string max_age;                 ///< "" = the configuration's
};

/// Files of the options, else of the configuration; URLs are fetched or taken from the cache. Empty when none is named.
Result<std::vector<advisory::FeedFile>> obtain_feeds(const Invocation& invocation, const FeedOptions& options, const policy::Policy& policy,
                                                     Log& log);

struct Feeds {
  advisory::Database database;
  std::vector<advisory::FeedState> states;  ///< in the order given
};

/// One that cannot be read is an error: without it a machine might look clean.
Result<Feeds> load_feeds(const std::vector<advisory::FeedFile>& files, advisory::Interest interest, Log& log);

}  // namespace vmpatch::fleet
