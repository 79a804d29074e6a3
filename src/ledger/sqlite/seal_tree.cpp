#include "ledger/sqlite/seal_tree.hpp"

#include <algorithm>
#include <set>

namespace vmpatch::ledger {
namespace {

constexpr std::int64_t fan_out = 64;
constexpr std::size_t digest_size = 32;
constexpr std::size_t node_size = fan_out * digest_size;
constexpr std::int64_t root_id = 0;
/// More are forgotten, and read again when they are needed.
constexpr std::size_t most_kept = 256;

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

std::int64_t bucket_of(const std::string& group) {
  const Digest digest = sha256(group);
  return std::int64_t{digest.bytes[0]} << 4U | digest.bytes[1] >> 4U;
}

/// Ids 1 to 64; the root is 0.
std::int64_t node_of(std::int64_t bucket) { return 1 + bucket / fan_out; }

std::string_view child(const std::string& node, std::int64_t index) {
  return std::string_view(node).substr(static_cast<std::size_t>(index) * digest_size, digest_size);
}

void set_child(std::string& node, std::int64_t index, const Digest& digest) {
  node.replace(static_cast<std::size_t>(index) * digest_size, digest_size, bytes_of(digest));
}

Digest digest_of(const Seals& seals) {
  if (seals.empty()) return {};
  Sha256 hash;
  for (const auto& [key, digest] : seals) {
    hash.update(fmt::format("{}:{},", key.size(), key));
    hash.update(bytes_of(digest));
  }
  return hash.finish();
}

Result<Digest> read_digest(const Statement& statement, int column, const std::string& file) {
  const std::string bytes = statement.blob(column);
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return fail(Errc::untrusted, "{}: a seal has {} bytes", file, bytes.size());
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

Error does_not_lead(const Database& database) {
  return fail(Errc::untrusted, "{}: the seals of its records were changed by something else than vm-patch", database.file());
}

/// As stored; a node that was never written has no buckets.
Result<std::string> stored_node(Database& database, std::int64_t id) {
  VMPATCH_TRY(Statement select, database.prepare("SELECT children FROM seal_nodes WHERE id = ?"));
  VMPATCH_TRY(const bool found, select.bind(id).step());
  std::string children = found ? select.blob(0) : std::string(node_size, '\0');
  if (children.size() != node_size) return does_not_lead(database);
  return children;
}

}  // namespace

const Digest& SealTree::empty() {
  static const Digest digest = sha256(std::string(node_size, '\0'));
  return digest;
}

void SealTree::expect(const Digest& root) {
  expected_ = root;
  nodes_.clear();
  buckets_.clear();
  all_loaded_ = false;
}

Result<const std::string*> SealTree::node(std::int64_t id) {
  if (const auto known = nodes_.find(id); known != nodes_.end()) return &known->second;
  VMPATCH_TRY(std::string children, stored_node(*database_, id));
  const Digest digest = sha256(children);
  if (id == root_id) {
    if (digest != expected_) return does_not_lead(*database_);
  } else {
    VMPATCH_TRY(const std::string* root, node(root_id));
    // A node that was never written has no digest in the root.
    const std::string_view wanted = child(*root, id - 1);
    const bool unwritten = wanted == std::string(digest_size, '\0') && children == std::string(node_size, '\0');
    if (wanted != bytes_of(digest) && !unwritten) return does_not_lead(*database_);
  }
  return &nodes_.emplace(id, std::move(children)).first->second;
}

Result<Seals> SealTree::stored_in(std::int64_t bucket) {
  VMPATCH_TRY(Statement select, database_->prepare("SELECT key, digest FROM seals WHERE bucket = ?"));
  select.bind(bucket);
  Seals seals;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return seals;
    VMPATCH_TRY(seals[select.text(0)], read_digest(select, 1, database_->file()));
  }
}

Result<const Seals*> SealTree::of_group(const std::string& group) { return of_bucket(bucket_of(group)); }

Result<const Seals*> SealTree::of_bucket(std::int64_t bucket) {
  if (const auto known = buckets_.find(bucket); known != buckets_.end()) return &known->second;
  VMPATCH_TRY(const std::string* parent, node(node_of(bucket)));
  VMPATCH_TRY(Seals seals, stored_in(bucket));
  if (child(*parent, bucket % fan_out) != bytes_of(digest_of(seals))) return does_not_lead(*database_);
  if (!all_loaded_ && buckets_.size() >= most_kept) buckets_.clear();
  return &buckets_.emplace(bucket, std::move(seals)).first->second;
}

Result<void> SealTree::put_node(std::int64_t id, const std::string& children) {
  VMPATCH_TRY(Statement insert, database_->prepare("INSERT OR REPLACE INTO seal_nodes (id, children) VALUES (?, ?)"));
  return insert.bind(id, Blob{children}).run();
}

Result<void> SealTree::apply_to(std::int64_t bucket, const std::vector<const SealChanges::value_type*>& changes) {
  VMPATCH_TRY(const Seals* known, of_bucket(bucket));
  Seals seals = *known;
  for (const auto* change : changes) {
    const auto& [key, seal] = *change;
    if (seal.digest) {
      seals[key] = *seal.digest;
      VMPATCH_TRY(Statement insert, database_->prepare("INSERT OR REPLACE INTO seals (bucket, key, digest) VALUES (?, ?, ?)"));
      VMPATCH_CHECK(insert.bind(bucket, key, Blob{bytes_of(*seal.digest)}).run());
    } else {
      seals.erase(key);
      VMPATCH_TRY(Statement remove, database_->prepare("DELETE FROM seals WHERE bucket = ? AND key = ?"));
      VMPATCH_CHECK(remove.bind(bucket, key).run());
    }
  }
  VMPATCH_CHECK(node(node_of(bucket)));
  set_child(nodes_[node_of(bucket)], bucket % fan_out, digest_of(seals));
  buckets_[bucket] = std::move(seals);
  return {};
}

Result<void> SealTree::apply(const SealChanges& changes) {
  if (changes.empty()) return {};
  std::map<std::int64_t, std::vector<const SealChanges::value_type*>> by_bucket;
  for (const auto& change : changes) by_bucket[bucket_of(change.second.group)].push_back(&change);
  // All that is read is checked before anything of it is replaced.
  for (const auto& [bucket, ours] : by_bucket) VMPATCH_CHECK(node(node_of(bucket)));
  std::set<std::int64_t> touched;
  for (const auto& [bucket, ours] : by_bucket) {
    VMPATCH_CHECK(apply_to(bucket, ours));
    touched.insert(node_of(bucket));
  }
  std::string& root = nodes_[root_id];
  for (const std::int64_t id : touched) {
    VMPATCH_CHECK(put_node(id, nodes_[id]));
    set_child(root, id - 1, sha256(nodes_[id]));
  }
  expected_ = sha256(root);
  return put_node(root_id, root);
}

Result<void> SealTree::load_all() {
  if (all_loaded_) return {};
  VMPATCH_TRY(Statement select, database_->prepare("SELECT bucket, key, digest FROM seals ORDER BY bucket"));
  std::map<std::int64_t, Seals> buckets;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) break;
    VMPATCH_TRY(buckets[select.integer(0)][select.text(1)], read_digest(select, 2, database_->file()));
  }
  for (std::int64_t bucket = 0; bucket < fan_out * fan_out; ++bucket) {
    VMPATCH_TRY(const std::string* parent, node(node_of(bucket)));
    if (child(*parent, bucket % fan_out) != bytes_of(digest_of(buckets[bucket]))) return does_not_lead(*database_);
  }
  // Of a bucket that there cannot be.
  if (buckets.size() != static_cast<std::size_t>(fan_out * fan_out)) return does_not_lead(*database_);
  buckets_ = std::move(buckets);
  all_loaded_ = true;
  return {};
}

Result<Seals> SealTree::all() {
  VMPATCH_CHECK(load_all());
  Seals all;
  for (const auto& [bucket, seals] : buckets_) all.insert(seals.begin(), seals.end());
  return all;
}

Result<Seals> SealTree::stored() {
  VMPATCH_TRY(Statement select, database_->prepare("SELECT key, digest FROM seals"));
  Seals seals;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return seals;
    VMPATCH_TRY(seals[select.text(0)], read_digest(select, 1, database_->file()));
  }
}

Result<void> SealTree::clear() {
  VMPATCH_CHECK(database_->execute("DELETE FROM seals; DELETE FROM seal_nodes"));
  expect(empty());
  return {};
}

}  // namespace vmpatch::ledger
