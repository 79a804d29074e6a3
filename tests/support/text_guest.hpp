#pragma once
// A guest whose file system is one JSON text at the start of its first disk: opened, patched and verified in milliseconds, over the same
// block servers, overlays and commits as a real one. For tests of what lies below a guest.

#include <functional>
#include <memory>

#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest {

/// The text: {"files": {PATH: {"content", "mode", "uid", "gid"}}}. Bytes behind it up to `text_guest_room` are zero. Instead of "content" a
/// file may have "at" and "length": these bytes of the first disk.
inline constexpr std::uint64_t text_guest_room = 1U << 20U;

/// Content of the disk's start for a guest with these files (a Debian 12 by its os-release).
std::string make_text_guest(const std::map<std::string, std::string>& files);

/// When a writable guest ends and it has a file /etc/ballast with the words "SEED MIB", that many MiB of bytes made from the seed are
/// written behind the text, and one block of 64 KiB to every further disk.
struct TextGuestOptions {
  std::function<void()> at_read;  ///< called when a guest was opened for reading
  bool needs_appliance = false;   ///< it cannot be read directly
  bool hibernated = false;
};
std::unique_ptr<GuestOpener> make_text_guest_opener(TextGuestOptions options = {});

}  // namespace vmpatch::guest
