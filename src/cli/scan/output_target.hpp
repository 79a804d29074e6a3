#pragma once

#include <cstdio>
#include <optional>
#include <string_view>

#include "vmpatch/core/atomic_output.hpp"

namespace vmpatch::cli {

/// Standard output, or a file that appears whole or not at all. The first failure is kept for finish().
class OutputTarget {
 public:
  /// An empty path is standard output.
  static Result<OutputTarget> open(const std::filesystem::path& file);
  void write(std::string_view text);
  Result<void> finish();

 private:
  explicit OutputTarget(std::optional<AtomicOutput> file) : file_(std::move(file)) {}
  void pass_on();

  std::optional<AtomicOutput> file_;
  std::string pending_;
  Result<void> state_;
};

}  // namespace vmpatch::cli
