#pragma once
// The digests of all records of a database, so that one digest says what every one of them is, and which are not there.
//
// A record has a key and belongs to a group; the first 12 bits of the group's SHA-256 are its bucket, so that what is asked
// together lies together. A bucket's digest covers its keys and digests in order of keys (none: 32 zero bytes). 64 nodes hold
// the digests of 64 buckets each, the root those of the nodes. A question costs one bucket and two nodes, a change as much.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ledger/sqlite/database.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::ledger {

/// By key, in order.
using Seals = std::map<std::string, Digest, std::less<>>;

/// A new seal, or none any more.
struct SealChange {
  std::string group;
  std::optional<Digest> digest;
};
using SealChanges = std::map<std::string, SealChange>;  ///< by key

class SealTree {
 public:
  explicit SealTree(Database& database) : database_(&database) {}

  /// Of a tree without any seal.
  static const Digest& empty();
  /// From here on everything must lead to this root, and what was read before is forgotten.
  void expect(const Digest& root);
  [[nodiscard]] const Digest& expected() const { return expected_; }
  /// The seals of a group's bucket, until the next call. Errc::untrusted when they do not lead to the root.
  Result<const Seals*> of_group(const std::string& group);
  /// Errc::untrusted as above. The new root is expected from now on.
  Result<void> apply(const SealChanges& changes);
  /// All seals. Errc::untrusted when they do not lead to the root.
  Result<Seals> all();
  /// Reads all of them at once, for many of_group().
  Result<void> load_all();
  /// All seals as they are stored.
  Result<Seals> stored();
  /// Without any seal.
  Result<void> clear();

 private:
  Result<const std::string*> node(std::int64_t id);
  Result<const Seals*> of_bucket(std::int64_t bucket);
  Result<void> apply_to(std::int64_t bucket, const std::vector<const SealChanges::value_type*>& changes);
  Result<void> put_node(std::int64_t id, const std::string& children);
  Result<Seals> stored_in(std::int64_t bucket);

  Database* database_;
  Digest expected_;
  std::map<std::int64_t, std::string> nodes_;  ///< that lead to the expected root
  std::map<std::int64_t, Seals> buckets_;
  bool all_loaded_ = false;
};

}  // namespace vmpatch::ledger
