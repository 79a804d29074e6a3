#include "proof/evidence.hpp"

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {

void Evidence::add(std::string_view line) {
  newest_ = escape_untrusted(line);
  if (last_.empty() && first_.size() + newest_.size() < most_first) {
    first_ += newest_ + "\n";
    return;
  }
  last_.push_back(newest_);
  last_size_ += newest_.size() + 1;
  while (last_size_ > most_last) {
    last_size_ -= last_.front().size() + 1;
    last_.pop_front();
    ++left_out_;
  }
}

std::string Evidence::text() const {
  std::string all = first_;
  if (left_out_ > 0) all += fmt::format("[vm-patch: {} lines are left out here]\n", left_out_);
  for (const auto& line : last_) all += line + "\n";
  return all;
}

std::string Evidence::last_line() const { return ensure_escaped(newest_, 160); }

Result<void> Evidence::write(const std::filesystem::path& path) const { return create_file(path, text(), 0600); }

}  // namespace vmpatch::proof
