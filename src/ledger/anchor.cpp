#include "vmpatch/ledger/anchor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ledger/anchor_file.hpp"
#include "ledger/anchor_lines.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::size_t all_chains = 2;
/// So often the heads of all chains are written again.
constexpr off_t step = 32 << 10;
constexpr off_t compact_from = 2 * step;
/// The end of the file that says everything; an anchor of before may have said a head only once.
constexpr off_t first_look = 2 * step;
constexpr off_t longest_look = 16 << 20;
constexpr off_t remarkable = 4 * compact_from;
constexpr std::uint64_t least_space = 64U << 10U;

/// What others may write says nothing.
Result<void> check_owner(int fd, const fs::path& file, const fs::path& state_dir) {
  struct stat info {};
  struct stat state {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "cannot look at " + file.string());
  const bool ours = info.st_uid == ::geteuid() || (::stat(state_dir.c_str(), &state) == 0 && info.st_uid == state.st_uid);
  if (!S_ISREG(info.st_mode)) {
    return fail(Errc::untrusted, "anchor {} is no regular file; find out who put it there, move it away, and run `vm-patch audit accept`",
                file.string());
  }
  if (ours && (info.st_mode & 0022U) == 0) return {};
  return fail(Errc::untrusted, "anchor {} is not a file of the ledger's owner that nobody else may write; `vm-patch audit accept` makes "
              "another", file.string());
}

/// Else whoever makes it unreadable would open what opens on errors.
Error cannot_be_read(const Error& error) { return make_error(Errc::untrusted, error.message); }

/// With a line end before it where the last writer was cut off.
Result<void> append_line(int fd, const Head& head) {
  char last = '\n';
  const off_t size = size_of(fd);
  if (size > 0 && ::pread(fd, &last, 1, size - 1) != 1) last = '\0';
  // One write: appends of several processes come one after the other.
  return write_all(fd, fmt::format("{}{}\n", last == '\n' ? "" : "\n", format_head(head)));
}

/// Where the file lies or, if it is missing, would lie.
fs::path real_place(const fs::path& file) {
  std::error_code error;
  const fs::path place = fs::weakly_canonical(file, error);
  return error ? file : place;
}

}  // namespace

Anchor::Anchor(const fs::path& state_dir) {
  std::error_code error;
  const fs::path absolute = fs::absolute(state_dir, error);
  // One place, whatever links lead to it.
  state_dir_ = fs::weakly_canonical(absolute, error);
  if (error) state_dir_ = absolute.lexically_normal();
  if (!state_dir_.has_filename()) state_dir_ = state_dir_.parent_path();
  file_ = state_dir_.string() + ".anchor";
}

Result<UniqueFd> Anchor::open_to_read() const {
  UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd && errno == ENOENT) return errno_error(errno, "cannot open anchor " + file_.string());
  if (!fd) return cannot_be_read(errno_error(errno, "cannot open anchor " + file_.string()));
  VMPATCH_CHECK(check_owner(fd.get(), file_, state_dir_));
  return fd;
}

Result<std::vector<Head>> Anchor::read() const {
  VMPATCH_TRY(const UniqueFd fd, open_to_read());
  const off_t size = size_of(fd.get());
  for (off_t look = first_look; look <= longest_look; look *= 4) {
    const off_t part = std::min(look, size);
    const auto text = read_part(fd.get(), size - part, part);
    if (!text) return cannot_be_read(text.error().in(file_.string()));
    auto heads = parse_heads(*text);
    if (heads.size() >= all_chains || part == size) return heads;
  }
  return read_all();
}

Result<std::vector<Head>> Anchor::read_all() const {
  VMPATCH_TRY(const UniqueFd fd, open_to_read());
  auto heads = heads_of_all(fd.get());
  return heads ? heads : cannot_be_read(heads.error().in(file_.string()));
}

Result<void> Anchor::append(const Head& head) const {
  const UniqueFd fd(::open(file_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return errno_error(errno, "cannot open anchor " + file_.string());
  const off_t before = size_of(fd.get());
  if (const auto done = append_line(fd.get(), head); !done) return done.error().in("anchor " + file_.string());
  const off_t after = size_of(fd.get());
  return after / step == before / step ? Result<void>() : keep_short(fd.get(), head, after);
}

Result<void> Anchor::keep_short(int fd, const Head& head, std::int64_t size) const {
  // Whoever appends to the old file meanwhile leaves an older anchor, as if it had been killed before.
  if (size >= compact_from && size <= longest_look) {
    const auto all = read_all();
    if (all && write_file_atomic(real_place(file_), lines_of(*all), 0600)) return {};
  }
  VMPATCH_TRY(const auto known, read());
  for (const Head& other : known) {
    if (other.chain == head.chain) continue;
    if (const auto done = append_line(fd, other); !done) return done.error().in("anchor " + file_.string());
  }
  return {};
}

std::vector<std::string> Anchor::complaints() const {
  const UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return {errno_error(errno, fmt::format("the anchor {} cannot be written", file_.string())).message};
  std::vector<std::string> found;
  if (const off_t size = size_of(fd.get()); size >= remarkable) {
    found.push_back(fmt::format("the anchor {} has {} bytes: it can be appended to and not be replaced, so it only grows", file_.string(), size));
  }
  const auto space = free_space(real_place(file_).parent_path());
  if (space && *space < least_space) {
    found.push_back(fmt::format("the file system of the anchor {} is full ({} bytes are free): the next commits may not be told there",
                                file_.string(), *space));
  }
  return found;
}

Result<void> Anchor::begin(const std::string& chain, Time time) const {
  const UniqueFd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
  if (!fd) return errno_error(errno, fmt::format("cannot make anchor {} (it lies beside the state directory, in a folder where you may make files, or "
                                               "as a link to a file of yours)", file_.string()));
  VMPATCH_CHECK(check_owner(fd.get(), file_, state_dir_));
  VMPATCH_CHECK(append_line(fd.get(), {.chain = chain, .sequence = 0, .digest = {}, .time = time}));
  if (::fsync(fd.get()) != 0) return errno_error(errno, "cannot sync " + file_.string());
  return fsync_dir(real_place(file_).parent_path());
}

Result<void> Anchor::replace(const std::vector<Head>& heads) const {
  const fs::path place = real_place(file_);
  const auto replaced = write_file_atomic(place, lines_of(heads), 0600);
  if (replaced) return {};
  std::error_code error;
  if (fs::is_regular_file(fs::symlink_status(place, error)) && write_in_place(place, lines_of(heads))) return {};
  return fail(Errc::refused, "the anchor {} cannot be begun anew: {}; move away what is there, or let it be replaced for as long as that takes "
              "(`chattr -a`, a mount that is not read-only, room in its file system), and try again", file_.string(), replaced.error().message);
}

Result<bool> Anchor::move_to(const fs::path& target) const {
  const fs::path place = fs::absolute(target);
  if (real_place(file_) == real_place(place)) return false;
  std::error_code error;
  if (fs::exists(place, error) || error) {
    return fail(Errc::refused, "anchor {} exists already, and may be that of other records; move it away or, if it is the one of these, make {} "
                "a link to it", place.string(), file_.string());
  }
  const auto heads = read_all();
  if (!heads && heads.error().code != Errc::not_found) return heads.error();
  if (heads) VMPATCH_CHECK(create_file(place, lines_of(*heads), 0600));
  const fs::path link = file_.string() + ".new";
  fs::remove(link, error);
  fs::create_symlink(place, link, error);
  if (!error) fs::rename(link, file_, error);
  if (error) return fail(Errc::failed, "cannot make {} a link to {}: {}", file_.string(), place.string(), error.message());
  VMPATCH_CHECK(fsync_dir(file_.parent_path()));
  return true;
}

}  // namespace vmpatch::ledger
