#pragma once
// libapt-pkg's settings: private folders, nothing of the host, and of the guest only what changes what its own apt would do.

#include <map>
#include <string>

#include "repository/apt/request.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// For this process, once. `folder` holds (each may be missing): status, extended_states, preferences, preferences.d/, apt.conf,
/// apt.conf.d/, machine-id of the guest; sources.list and lists/ are made in it by link_lists().
Result<void> configure(const std::string& folder, const ResolveRequest& request);

/// Of the guest's apt.conf and apt.conf.d what decides which packages are installed. Reads the guest's files: confine first.
Result<void> carry_over_settings(const std::string& folder);

/// Path in lists/ → number of the source in the request.
using ListedSources = std::map<std::string, std::size_t>;

/// Writes sources.list, and gives the verified files the names in lists/ that libapt looks for.
Result<ListedSources> link_lists(const std::string& folder, const ResolveRequest& request);

}  // namespace vmpatch::repository::apt
