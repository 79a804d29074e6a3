#pragma once
// Content on its way into a folder: HEX.part until it is whole and right, HEX then.

#include <filesystem>
#include <string_view>

#include "vmpatch/core/log.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/fetch/download.hpp"

namespace vmpatch::fetch {

/// The whole content when it is there and right; none (false) when it is missing or something else has its name. Errc::refused: no file.
Result<UniqueFd> open_whole(const std::filesystem::path& folder, const Expected& expected, Log& log);

class Part {
 public:
  /// Locks it, new or as a killed download left it, and hashes what is there. Waits for another process that has it, which then
  /// may have made the content whole.
  static Result<Part> lock(const std::filesystem::path& folder, const Expected& expected, Log& log);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Some of it was there before, and nobody knows yet whether that is right.
  [[nodiscard]] bool holds_old_bytes() const { return old_; }

  /// `at` is size(), or 0: then it begins anew. Errc::untrusted: above the expected size.
  Result<void> take(std::uint64_t at, std::string_view bytes);
  /// Call once after the last byte, before clear(). Errc::untrusted: not the expected content.
  Result<void> check();
  Result<void> clear();
  /// Removes it.
  Result<void> remove();
  /// The content gets its name, durably. Only after check().
  Result<UniqueFd> finish();

 private:
  Part(std::filesystem::path folder, const Expected& expected, UniqueFd fd) : folder_(std::move(folder)), expected_(expected), fd_(std::move(fd)) {}
  Result<void> hash_old(Log& log);
  [[nodiscard]] std::filesystem::path path() const;

  std::filesystem::path folder_;
  Expected expected_;
  UniqueFd fd_;  ///< locked
  Sha256 hash_;
  std::uint64_t size_ = 0;
  bool old_ = false;
};

}  // namespace vmpatch::fetch
