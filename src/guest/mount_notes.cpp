#include "guest/mount_notes.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t most = 8;

}  // namespace

void MountNotes::add(std::string_view where, std::string_view why) {
  if (++count_ > most) return;
  text_ += fmt::format("{}{} ({})", count_ == 1 ? "; not mounted: " : ", ", escape_untrusted(where), why);
}

std::string MountNotes::text() const {
  return count_ > most ? fmt::format("{} and {} more", text_, count_ - most) : text_;
}

}  // namespace vmpatch::guest
