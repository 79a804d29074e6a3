#include "repository/kept_answers.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::repository {
namespace {

constexpr std::string_view schema = "vm-patch/kept-answer/v1";
constexpr std::uint64_t max_answer = 8U << 20U;
constexpr std::size_t hex_digits = 64;
/// What a killed process began to write.
constexpr std::time_t half_written = 60 * 60;

std::string first_line(const Digest& key, std::string_view answer) { return fmt::format("{} {} {}\n", schema, key.hex(), sha256(answer).hex()); }

struct Entry {
  fs::path path;
  std::time_t used = 0;
  std::uint64_t size = 0;
};

std::vector<Entry> list(const fs::path& folder) {
  std::vector<Entry> all;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    struct stat info {};
    if (::lstat(entry->path().c_str(), &info) == 0) all.push_back({entry->path(), info.st_mtime, static_cast<std::uint64_t>(info.st_size)});
  }
  return all;
}

bool is_answer(const Entry& entry) {
  const std::string name = entry.path.filename().string();
  return name.size() == hex_digits && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Result<KeptAnswers> KeptAnswers::open(const fs::path& state, const Bounds& bounds) {
  const fs::path folder = state / "answers";
  VMPATCH_CHECK(make_dirs(folder, 0700));
  return KeptAnswers(folder, bounds);
}

std::optional<std::string> KeptAnswers::find(const Digest& key) const {
  const fs::path path = folder_ / key.hex();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  const bool ours = fd && ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 0022U) == 0;
  if (!ours) return std::nullopt;
  auto text = read_fd(fd.get(), max_answer + 1024, path.string());
  if (!text) return std::nullopt;
  const auto end = text->find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string answer = text->substr(end + 1);
  if (text->compare(0, end + 1, first_line(key, answer)) != 0) return std::nullopt;
  // Its age counts from now on. Where that cannot be written it is made again some day.
  static_cast<void>(::futimens(fd.get(), nullptr));
  return answer;
}

Result<void> KeptAnswers::keep(const Digest& key, std::string_view answer) const {
  if (answer.size() > max_answer) return {};
  VMPATCH_CHECK(write_file_atomic(folder_ / key.hex(), first_line(key, answer) + std::string(answer), 0600));
  sweep();
  return {};
}

void KeptAnswers::sweep() const {
  auto all = list(folder_);
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.used > b.used; });
  const std::time_t now = std::time(nullptr);
  const std::time_t longest = std::chrono::duration_cast<std::chrono::seconds>(bounds_.age).count();
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Entry& entry : all) {
    const bool answer = is_answer(entry);
    if (answer) {
      ++count;
      bytes += entry.size;
    }
    const bool stays = answer ? count <= bounds_.count && bytes <= bounds_.bytes && now - entry.used <= longest : now - entry.used <= half_written;
    // One that was used since the look is made again.
    if (!stays) static_cast<void>(::unlink(entry.path.c_str()));
  }
}

}  // namespace vmpatch::repository
