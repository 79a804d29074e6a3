#pragma once
// The short-lived folder of one reading or one run: sockets and the worker's temporary files.

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::reading {

/// PLACE/<id>, 0711, removed with everything in it by the destructor. Its owner holds a flock on it, so that the folders of
/// killed processes are known.
class Scratch {
 public:
  /// Errc::busy when another process holds it; one that a killed process left is used again.
  static Result<Scratch> make(const std::filesystem::path& place, const std::string& id);
  Scratch(Scratch&& other) noexcept : path_(std::move(other.path_)), lock_(std::move(other.lock_)) { other.path_.clear(); }
  Scratch& operator=(Scratch&& other) noexcept;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Scratch(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  UniqueFd lock_;
};

/// Removes the folders below `place` that nobody holds: their processes were killed.
Result<void> remove_abandoned_scratch(const std::filesystem::path& place);

}  // namespace vmpatch::reading
