#include "cli/scan/output_target.hpp"

#include <unistd.h>

#include "vmpatch/core/file.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t buffer_size = 1U << 16U;

}  // namespace

Result<OutputTarget> OutputTarget::open(const std::filesystem::path& file) {
  if (file.empty()) return OutputTarget(std::nullopt);
  VMPATCH_TRY(auto output, AtomicOutput::create(file));
  return OutputTarget(std::move(output));
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
  return file_ ? file_->commit(0644) : Result<void>();
}

}  // namespace vmpatch::cli
