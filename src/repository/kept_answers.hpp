#pragma once
// Answers of a resolver under the digest of all that decided them, so that like machines share one and a second night asks nothing.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::repository {

namespace fs = std::filesystem;

/// STATE/answers, of root alone; a file KEY holds schema, key and digest, and then the answer as it was given. It may go at any time. What is found is
/// believed no more than the resolver itself: whoever uses it checks it again.
class KeptAnswers {
 public:
  struct Bounds {
    std::size_t count = 1000;
    std::uint64_t bytes = 128U << 20U;      ///< of all together
    std::chrono::hours age{24 * 30};        ///< since it was used last
  };
  static Result<KeptAnswers> open(const fs::path& state, const Bounds& bounds);
  static Result<KeptAnswers> open(const fs::path& state) { return open(state, Bounds{}); }

  /// Nothing where there is none, or one that is damaged, of another key or another schema, or no file of ours.
  [[nodiscard]] std::optional<std::string> find(const Digest& key) const;

  /// Whole or not at all; larger ones than 8 MiB are not kept. What is beyond the bounds goes, the longest unused first.
  Result<void> keep(const Digest& key, std::string_view answer) const;

 private:
  KeptAnswers(fs::path folder, const Bounds& bounds) : folder_(std::move(folder)), bounds_(bounds) {}
  void sweep() const;
  fs::path folder_;
  Bounds bounds_;
};

}  // namespace vmpatch::repository
