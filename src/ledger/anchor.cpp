#include "vmpatch/ledger/anchor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view format_name = "vm-patch/anchor/v1";
constexpr std::size_t check_digits = 16;
constexpr off_t compact_from = 64 << 10;
constexpr std::uint64_t largest = 16U << 20U;

std::string check_of(std::string_view line) { return sha256(line).hex().substr(0, check_digits); }

using Words = std::array<std::string_view, 6>;  ///< format, chain, sequence, digest, time, check

std::optional<Words> split(std::string_view line) {
  Words words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t end = i + 1 == words.size() ? line.size() : line.find(' ');
    if (end == std::string_view::npos) return {};
    words[i] = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  if (words[0] != format_name || words[1].empty() || words[5].size() != check_digits) return {};
  return words;
}

/// Negative: it is none.
std::int64_t parse_sequence(std::string_view word) {
  std::int64_t sequence = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), sequence);
  return error == std::errc() && end == word.data() + word.size() ? sequence : -1;
}

bool is_whole(std::string_view line) {
  return line.size() > check_digits + 1 && check_of(line.substr(0, line.size() - check_digits - 1)) == line.substr(line.size() - check_digits);
}

/// What others may write says nothing.
Result<void> check_owner(int fd, const fs::path& file, const fs::path& state_dir) {
  struct stat info {};
  struct stat state {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "cannot look at " + file.string());
  const bool ours = info.st_uid == ::geteuid() || (::stat(state_dir.c_str(), &state) == 0 && info.st_uid == state.st_uid);
  if (S_ISREG(info.st_mode) && ours && (info.st_mode & 0022U) == 0) return {};
  return fail(Errc::untrusted, "anchor {} is not a file of the ledger's owner that nobody else may write", file.string());
}

/// Else whoever makes it unreadable would open what opens on errors.
Error cannot_be_read(const Error& error) { return make_error(Errc::untrusted, error.message); }

/// With a line end before it where the last writer was cut off.
Result<void> append_line(int fd, const Head& head) {
  struct stat info {};
  char last = '\n';
  if (::fstat(fd, &info) == 0 && info.st_size > 0 && ::pread(fd, &last, 1, info.st_size - 1) != 1) last = '\0';
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

std::string format_head(const Head& head) {
  const std::string line = fmt::format("{} {} {} {} {}", format_name, head.chain, head.sequence, head.digest.hex(), format_time(head.time));
  return fmt::format("{} {}", line, check_of(line));
}

std::vector<Head> parse_heads(std::string_view text) {
  std::vector<Head> heads;
  // From the end: there the highest ones are as a rule, and of the others no more than the sequence is looked at.
  while (!text.empty()) {
    const std::size_t start = text.find_last_of('\n');
    const std::string_view line = start == std::string_view::npos ? text : text.substr(start + 1);
    text = start == std::string_view::npos ? std::string_view() : text.substr(0, start);
    const auto words = split(line);
    if (!words) continue;
    const std::int64_t sequence = parse_sequence((*words)[2]);
    const auto known = std::ranges::find(heads, (*words)[1], &Head::chain);
    if (sequence < 0 || (known != heads.end() && known->sequence >= sequence) || !is_whole(line)) continue;
    const auto digest = Digest::parse((*words)[3]);
    const auto time = parse_time((*words)[4]);
    if (!digest || !time) continue;
    Head head{.chain = std::string((*words)[1]), .sequence = sequence, .digest = *digest, .time = *time};
    if (known == heads.end()) {
      heads.push_back(std::move(head));
    } else {
      *known = std::move(head);
    }
  }
  return heads;
}

Anchor::Anchor(const fs::path& state_dir) {
  std::error_code error;
  const fs::path absolute = fs::absolute(state_dir, error);
  // One place, whatever links lead to it.
  state_dir_ = fs::weakly_canonical(absolute, error);
  if (error) state_dir_ = absolute.lexically_normal();
  if (!state_dir_.has_filename()) state_dir_ = state_dir_.parent_path();
  file_ = state_dir_.string() + ".anchor";
}

Result<std::vector<Head>> Anchor::read() const {
  const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd && errno == ENOENT) return errno_error(errno, "cannot open anchor " + file_.string());
  if (!fd) return cannot_be_read(errno_error(errno, "cannot open anchor " + file_.string()));
  VMPATCH_CHECK(check_owner(fd.get(), file_, state_dir_));
  const auto text = read_fd(fd.get(), largest, file_.string());
  if (!text) return cannot_be_read(text.error());
  return parse_heads(*text);
}

Result<void> Anchor::append(const Head& head) const {
  const UniqueFd fd(::open(file_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return errno_error(errno, "cannot open anchor " + file_.string());
  VMPATCH_CHECK(append_line(fd.get(), head));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || info.st_size < compact_from) return {};
  // Whoever appends to the old file meanwhile leaves an older anchor, as if it had been killed before.
  VMPATCH_TRY(const auto heads, read());
  return replace(heads);
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
  std::string text;
  for (const Head& head : heads) text += format_head(head) + "\n";
  return write_file_atomic(real_place(file_), text, 0600);
}

Result<bool> Anchor::move_to(const fs::path& target) const {
  const fs::path place = fs::absolute(target);
  if (real_place(file_) == real_place(place)) return false;
  std::error_code error;
  if (fs::exists(place, error) || error) {
    return fail(Errc::refused, "anchor {} exists already, and may be that of other records; move it away or, if it is the one of these, make {} "
                "a link to it", place.string(), file_.string());
  }
  const auto heads = read();
  if (!heads && heads.error().code != Errc::not_found) return heads.error();
  if (heads) {
    std::string text;
    for (const Head& head : *heads) text += format_head(head) + "\n";
    VMPATCH_CHECK(create_file(place, text, 0600));
  }
  const fs::path link = file_.string() + ".new";
  fs::remove(link, error);
  fs::create_symlink(place, link, error);
  if (!error) fs::rename(link, file_, error);
  if (error) return fail(Errc::failed, "cannot make {} a link to {}: {}", file_.string(), place.string(), error.message());
  VMPATCH_CHECK(fsync_dir(file_.parent_path()));
  return true;
}

}  // namespace vmpatch::ledger
