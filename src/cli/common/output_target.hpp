#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/atomic_output.hpp"

namespace vmpatch::cli {

/// Standard output, or a file that appears whole or not at all: with the mode and owner of the one that it replaces, else with
/// 0666 and the umask. The first failure is kept for finish().
class OutputTarget {
 public:
  /// An empty path is standard output.
  static Result<OutputTarget> open(const std::filesystem::path& file);
  void write(std::string_view text);
  Result<void> finish();

 private:
  OutputTarget(std::optional<AtomicOutput> file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  void pass_on();

  std::optional<AtomicOutput> file_;
  std::filesystem::path path_;
  std::string pending_;
  Result<void> state_;
};

/// The whole text to one.
Result<void> write_output(const std::filesystem::path& file, std::string_view text);

}  // namespace vmpatch::cli
