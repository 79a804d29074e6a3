#include "cli/common/output_target.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t buffer_size = 1U << 16U;

/// umask() can only be asked by changing it, which other threads would notice: so before there are any.
const mode_t mask_at_start = [] {
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}();

/// The mode that the file at `path` has, whose owner the new one gets where this user may give it away; else that of a new file.
mode_t take_over(int file, const std::filesystem::path& path) {
  struct stat old {}, made {};
  if (::stat(path.c_str(), &old) != 0 || ::fstat(file, &made) != 0) return 0666U & ~mask_at_start;
  const mode_t mode = old.st_mode & 0777U;
  if (old.st_uid == made.st_uid && old.st_gid == made.st_gid) return mode;
  if (::fchown(file, old.st_uid, old.st_gid) == 0 || ::fchown(file, static_cast<uid_t>(-1), old.st_gid) == 0) return mode;
  // Another group must not get what the old one had.
  return (mode & 0707U) | ((mode & 07U) << 3U & mode);
}

}  // namespace

Result<OutputTarget> OutputTarget::open(const std::filesystem::path& file) {
  if (file.empty()) return OutputTarget(std::nullopt, file);
  VMPATCH_TRY(auto output, AtomicOutput::create(file));
  return OutputTarget(std::move(output), file);
}

void OutputTarget::pass_on() {
  if (state_) state_ = write_all(file_ ? file_->fd() : STDOUT_FILENO, pending_);
  pending_.clear();
}

void OutputTarget::write(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= buffer_size) pass_on();
}

Result<void> OutputTarget::finish() {
  pass_on();
  if (!state_) return state_.error().in("writing the result");
  return file_ ? file_->commit(take_over(file_->fd(), path_)) : Result<void>();
}

Result<void> write_output(const std::filesystem::path& file, std::string_view text) {
  VMPATCH_TRY(auto target, OutputTarget::open(file));
  target.write(text);
  return target.finish();
}

}  // namespace vmpatch::cli
