// libvirt's log of a machine, with whatever its QEMU printed: what is believed stands in a line of its own.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "inventory/left/stop_log.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using vmpatch::inventory::find_last_stop;
  const std::string log{reinterpret_cast<const char*>(data), size};
  const auto stop = find_last_stop(log);
  if (stop && stop->saved) require(log.find("+0000: shutting down, reason=saved") != std::string::npos);
  // Whatever was there before, and whatever QEMU prints after it, the last word of libvirt counts.
  const auto saved = find_last_stop(log + "\n2026-11-30 13:28:32.382+0000: shutting down, reason=saved\nqemu: bye");
  require(saved && saved->saved);
  const auto destroyed = find_last_stop(log + "\n2026-11-30 13:28:32.382+0000: shutting down, reason=destroyed\n");
  require(destroyed && !destroyed->saved);
  return 0;
}
