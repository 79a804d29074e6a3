#include "vmpatch/engine/reserve.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// A run's end takes a few transactions of some 100 KiB in the ledger's WAL, its shared memory, and a line of the anchor.
constexpr std::size_t reserve_bytes = 8U << 20U;

fs::path reserve_path(const RunPlaces& places) { return places.undo.parent_path() / "reserve"; }

std::string noise() {
  std::mt19937_64 dice(std::random_device{}());
  std::string bytes(reserve_bytes, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t number = dice();
    std::memcpy(bytes.data() + at, &number, sizeof(number));
  }
  return bytes;
}

bool is_whole(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size == static_cast<off_t>(reserve_bytes);
}

}  // namespace

Result<void> make_reserve(const RunPlaces& places) {
  const auto path = reserve_path(places);
  if (is_whole(path)) return {};
  const auto made = write_file_atomic(path, noise(), 0600);
  if (made || !is_no_room(made.error())) return made;
  return fail(Errc::refused, "{} are needed in {} so that a run can be ended when its disk fills up: {}; make room there",
              format_size(reserve_bytes), path.parent_path().string(), made.error().message);
}

bool give_back_reserve(const RunPlaces& places) {
  const auto path = reserve_path(places);
  if (::unlink(path.c_str()) != 0) return false;
  // A journal gives blocks back when it is written.
  static_cast<void>(fsync_dir(path.parent_path()).has_value());
  return true;
}

bool is_no_room(const Error& error) {
  const std::array texts{std::strerror(ENOSPC), std::strerror(EDQUOT)};
  return std::any_of(texts.begin(), texts.end(), [&](const char* text) { return error.message.find(text) != std::string::npos; });
}

}  // namespace vmpatch::engine
