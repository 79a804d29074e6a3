#pragma once
// Fetched feeds on disk: NAME.data, with NAME.json beside it; NAME.lock is held while it is fetched. NAME is the SHA-256 of the URL (with its pinned digest).

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vmpatch/core/atomic_output.hpp"
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
  FeedCache(std::filesystem::path folder, const std::string& name);

  [[nodiscard]] const std::filesystem::path& data() const { return data_; }
  /// Nothing when there is no whole copy of this URL.
  [[nodiscard]] std::optional<CachedCopy> copy() const;

  /// New content for the copy, in a file that this account alone can write. It goes away unless it is kept.
  class Download {
   public:
    Result<void> append(std::string_view bytes);
    /// Of what was appended. Call once, after the last byte.
    [[nodiscard]] Digest digest() { return hash_.finish(); }

   private:
    friend class FeedCache;
    explicit Download(AtomicOutput file) : file_(std::move(file)) {}
    AtomicOutput file_;
    Sha256 hash_;
  };
  Result<Download> start();
  /// Until the descriptor is closed no other process fetches this feed; waits for one that does.
  Result<UniqueFd> lock();
  /// Durable, then in the place of the old copy.
  Result<void> keep(Download download, const CachedCopy& copy);
  /// The copy is as good as new.
  Result<void> confirm(const CachedCopy& copy);

 private:
  std::filesystem::path folder_, data_, about_, lock_;
};

}  // namespace vmpatch::advisory
