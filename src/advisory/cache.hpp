#pragma once
// Fetched feeds on disk: NAME.data, with NAME.json beside it. NAME is the SHA-256 of the URL.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::advisory {

struct CachedCopy {
  std::string url, etag, last_modified;
  Time fetched{};  ///< or last found to be unchanged
  Digest digest{};
};

class FeedCache {
 public:
  FeedCache(std::filesystem::path folder, const std::string& url);

  [[nodiscard]] const std::filesystem::path& data() const { return data_; }
  /// Nothing when there is no whole copy of this URL.
  [[nodiscard]] std::optional<CachedCopy> copy() const;

  /// A new file beside the copy, for a download. It goes away unless it is kept.
  class Download {
   public:
    Download() = default;
    Download(Download&& other) noexcept : fd(std::move(other.fd)), path_(std::exchange(other.path_, {})) {}
    Download& operator=(Download&&) = delete;
    ~Download();
    UniqueFd fd;

   private:
    friend class FeedCache;
    std::filesystem::path path_;
  };
  Result<Download> start();
  /// Durable, then in the place of the old copy.
  Result<void> keep(Download download, const CachedCopy& copy);
  /// The copy is as good as new.
  Result<void> confirm(const CachedCopy& copy);

 private:
  std::filesystem::path folder_, data_, about_;
};

}  // namespace vmpatch::advisory
