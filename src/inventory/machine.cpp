#include "vmpatch/inventory/machine.hpp"

#include <algorithm>

namespace vmpatch::inventory {

std::string_view to_string(State state) {
  switch (state) {
    case State::running: return "running";
    case State::paused: return "paused";
    case State::pmsuspended: return "pmsuspended";
    case State::saved: return "saved";
    case State::shutoff: return "shutoff";
    case State::hibernated: return "hibernated";
    case State::crashed: return "crashed";
    case State::unknown: break;
  }
  return "unknown";
}

std::string_view to_string(FileSave::Witness witness) {
  switch (witness) {
    case FileSave::Witness::libvirt: return "libvirt";
    case FileSave::Witness::log: return "log";
    case FileSave::Witness::record: break;
  }
  return "record";
}

bool Machine::suspended() const {
  return managed_save || saved_to_file || state == State::saved || state == State::paused || state == State::pmsuspended ||
         state == State::hibernated;
}

bool Inventory::complete() const {
  return std::all_of(hosts.begin(), hosts.end(), [](const HostInventory& host) { return host.problem.empty() && host.gaps.empty(); });
}

}  // namespace vmpatch::inventory
