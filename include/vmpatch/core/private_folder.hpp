#pragma once
// A folder for one run of an unprivileged helper program: what it is given to read lies there, and goes with it.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

class PrivateFolder {
 public:
  /// PLACE/PREFIXXXXXXX, 0700. Those with this prefix that a killed process left behind are removed first: their locks went with it.
  static Result<std::unique_ptr<PrivateFolder>> make(const std::filesystem::path& place, const std::string& prefix);
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// A new file, 0600. `name`: plain, or in a folder that make_folder() made.
  Result<UniqueFd> create(const std::string& name) const;
  Result<void> write(const std::string& name, std::string_view content) const;
  Result<void> make_folder(const std::string& name) const;

  /// Last of all, so that nothing of that account can lead what is written astray. Without an account (not root) nothing.
  Result<void> give_to(const std::optional<Credentials>& account) const;

 private:
  PrivateFolder(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  UniqueFd lock_;  ///< ends with the process
};

}  // namespace vmpatch
