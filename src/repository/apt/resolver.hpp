#pragma once
// vm-patch-apt asked about guests, and no more often than it has to be: an answer that was checked is kept under the digest of its inputs.

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "repository/apt/inputs.hpp"
#include "repository/apt/offers.hpp"
#include "repository/kept_answers.hpp"
#include "repository/store.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository::apt {

/// For several threads at once: machines with the same inputs wait for one answer. What failed is not asked again, and not kept.
class Resolver {
 public:
  /// `store` and `log` outlive it. `scratch`: where the program's folders are.
  Resolver(const Store& store, KeptAnswers kept, fs::path scratch, Log& log) : store_(store), kept_(std::move(kept)), scratch_(std::move(scratch)), log_(log), offers_(store) {}

  /// See repository::Repositories::resolve().
  Result<Update> resolve(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Rules& rules);

 private:
  struct Question {
    const guest::ManagerFiles& installed;
    const Snapshot& snapshot;
    ResolveRequest request;  ///< without paths
  };
  using Answer = std::optional<Update>;  ///< nothing: it depends on the machine-id
  using Shared = std::shared_ptr<const Result<Answer>>;

  Result<Answer> answer(const Question& question);
  Result<Answer> find_or_ask(const Digest& key, const Question& question);
  Result<Answer> check(std::string_view text, const Question& question);
  Result<std::string> ask(const Question& question);
  Result<Digest> key_of(const Question& question);
  Result<std::string> identity();
  Result<Digest> release_content(const IndexFile& release);
  Result<fs::path> open_file(const IndexFile& file);

  const Store& store_;
  KeptAnswers kept_;
  fs::path scratch_;
  Log& log_;
  AllOffers offers_;
  std::mutex mutex_;  ///< of the four below
  std::map<Digest, std::shared_future<Shared>> asked_;
  std::optional<Result<std::string>> identity_;
  std::map<Digest, Digest> releases_;   ///< content of each
  std::map<Digest, fs::path> opened_;   ///< hashed once, not for each machine
};

}  // namespace vmpatch::repository::apt
