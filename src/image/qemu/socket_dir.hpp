#pragma once

#include <filesystem>
#include <optional>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::image {

namespace fs = std::filesystem;

/// A private folder (0700, owned by the account of its server) with one socket in it; both are removed at the end.
class SocketDir {
 public:
  /// One left over by a killed process is taken over; anything else at that path is Errc::refused.
  static Result<SocketDir> make(const fs::path& path, const std::optional<Credentials>& worker);
  SocketDir(SocketDir&& other) noexcept;
  SocketDir& operator=(SocketDir&&) = delete;
  ~SocketDir();

  [[nodiscard]] fs::path socket() const { return path_ / "nbd.sock"; }

 private:
  explicit SocketDir(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

}  // namespace vmpatch::image
