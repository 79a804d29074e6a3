#include "guest/mount_notes.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t most = 8;
constexpr std::size_t max_where = 100;
constexpr std::size_t max_why = 200;

}  // namespace

void MountNotes::add(std::string_view where, std::string_view why) {
  if (++count_ > most) return;
  text_ += fmt::format("{}{} ({})", count_ == 1 ? "; not mounted: " : ", ", ensure_escaped(escape_untrusted(where), max_where),
                       ensure_escaped(why, max_why));
}

std::string MountNotes::text() const {
  return count_ > most ? fmt::format("{} and {} more", text_, count_ - most) : text_;
}

}  // namespace vmpatch::guest
