#pragma once
// The libvirt of this computer, for images that are named by their files: who else needs them?

#include <memory>
#include <string>
#include <vector>

#include "vmpatch/inventory/source.hpp"

namespace vmpatch::fleet {

/// Those of `uris` that are this computer's; where there are none the standard one, since images are files of this computer.
std::vector<std::string> local_uris(const std::vector<std::string>& uris);

/// Asks at each listing anew whether there is something to ask: a daemon that listens, or machines in its folders. Else the host is
/// there without machines: nothing is connected to, and no session is started.
std::unique_ptr<inventory::Source> make_local_source(const std::string& uri, Log& log);

}  // namespace vmpatch::fleet
