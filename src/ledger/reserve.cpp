#include "ledger/reserve.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::uint64_t mib = 1U << 20U;
/// The write-ahead log of SQLite grows to 4 MiB before its pages go into the database.
constexpr off_t size = 8 * mib;
constexpr std::uint64_t tight = 2 * mib;
constexpr std::uint64_t plenty = 64 * mib;

}  // namespace

Reserve::Reserve(const std::filesystem::path& ledger) : file_(ledger.string() + ".reserve") {}

void Reserve::look() const {
  const auto folder = file_.parent_path();
  const auto room = free_space(folder.empty() ? fs::path(".") : folder);
  if (!room || (*room >= tight && *room < plenty)) return;
  if (*room < tight) {
    ::unlink(file_.c_str());
    return;
  }
  const UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd && ::posix_fallocate(fd.get(), 0, size) != 0) ::unlink(file_.c_str());
}

}  // namespace vmpatch::ledger
