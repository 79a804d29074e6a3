#include "ledger/anchor_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ledger/anchor_lines.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::ledger {
namespace {

constexpr off_t block = 1 << 20;
constexpr std::size_t longest_line = 4096;

}  // namespace

off_t size_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_size : 0;
}

Result<std::string> read_part(int fd, off_t from, off_t size) {
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::pread(fd, text.data() + done, text.size() - done, from + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read the anchor");
    if (got == 0) break;  // it was made small meanwhile
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

Result<std::vector<Head>> heads_of_all(int fd) {
  std::vector<Head> heads;
  std::string rest;  // the start of a line
  for (off_t at = 0, size = size_of(fd); at < size; at += block) {
    VMPATCH_TRY(const std::string part, read_part(fd, at, std::min(block, size - at)));
    const std::string text = rest + part;
    const std::size_t end = text.rfind('\n');
    add_heads(std::string_view(text).substr(0, end == std::string::npos ? 0 : end), heads);
    rest = end == std::string::npos ? text : text.substr(end + 1);
    if (rest.size() > longest_line) rest.clear();
  }
  add_heads(rest, heads);
  return heads;
}

std::string lines_of(const std::vector<Head>& heads) {
  std::string text;
  for (const Head& head : heads) text += format_head(head) + "\n";
  return text;
}

Result<void> write_in_place(const fs::path& place, const std::string& text) {
  const UniqueFd fd(::open(place.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return errno_error(errno, "cannot open " + place.string());
  VMPATCH_CHECK(write_all(fd.get(), text));
  if (::ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0) return errno_error(errno, "cannot cut short " + place.string());
  return ::fsync(fd.get()) == 0 ? Result<void>() : errno_error(errno, "cannot sync " + place.string());
}

}  // namespace vmpatch::ledger
