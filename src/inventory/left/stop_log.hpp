#pragma once
// How a machine stopped last, by libvirt's log of its QEMU. libvirtd itself forgets this when it is restarted.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/clock.hpp"

namespace vmpatch::inventory {

struct LastStop {
  bool saved = false;  ///< its memory was saved; false: it stopped in another way, or was started since
  Time when{};
};

/// Pure: the last of libvirt's lines (TIME: "starting up libvirt version…" and "shutting down, reason=WORD") that tells it. A start
/// that failed is passed over: the memory that was saved before is not used by it. nullopt when no line tells.
std::optional<LastStop> find_last_stop(std::string_view log);

/// From the ends of NAME.log and of the log that it was rotated from. nullopt also where there is no log, it is no regular file, or
/// `name` can be no file's name.
std::optional<LastStop> load_last_stop(const std::filesystem::path& logs, const std::string& name);

}  // namespace vmpatch::inventory
