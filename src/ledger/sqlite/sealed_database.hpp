#pragma once
// A database whose records are what its audit chain says, and whose chain is what its anchor says.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/sqlite/record_kinds.hpp"
#include "ledger/sqlite/seal_tree.hpp"
#include "vmpatch/ledger/anchor.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// The end of every message about records that do not hold.
inline constexpr std::string_view way_out = "see `vm-patch audit verify`; after restoring a backup, `vm-patch audit accept`";

/// Which records of a kind: what stands behind WHERE, with its values.
struct Which {
  std::string where;
  std::vector<std::string> values = {};
};

/// A record, with what its kind's `select` says of it behind group and key.
struct Record {
  std::string group;
  std::string key;
  Digest digest;
  Row row;
};
using Rows = std::vector<Row>;

/// In order, each key once.
class Records {
 public:
  /// False: there is one of this key.
  bool add(Record record);
  [[nodiscard]] bool contains(const std::string& key) const { return by_key_.contains(key); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] auto begin() const { return all_.begin(); }
  [[nodiscard]] auto end() const { return all_.end(); }
  [[nodiscard]] Rows take_rows() &&;

 private:
  std::vector<Record> all_;
  std::set<std::string, std::less<>> by_key_;
};

/// Opening, migrating and accepting is in sealed_open.cpp, single records in sealed_records.cpp.
class SealedDatabase {
 public:
  using Work = std::function<Result<void>()>;
  /// The heads of all chains that the anchor knows, after a commit; the first is this database's new one.
  using Announce = std::function<void(const std::vector<Head>&)>;

  /// read_write: makes or migrates it and, for a database of before there were seals, seals what is in it. Errors: those of
  /// Database::open, failed (read_only: another version), untrusted.
  static Result<SealedDatabase> open(const std::filesystem::path& file, const RecordSchema& schema, const Database::Options& options);

  /// For whoever looks what is wrong, or accepts it: only the version is looked at. One that says something else than its tables is
  /// no error; read_write: it is put right, and the database is migrated. Errc::refused: no vm-patch of up to now made these tables.
  static Result<SealedDatabase> open_unchecked(const std::filesystem::path& file, const RecordSchema& schema,
                                               const Database::Options& options);

  /// `work` sees one state, which is checked against chain and anchor first. May be nested.
  Result<void> read(const Work& work);
  /// The same with an answer: `work` returns a Result.
  template <class Ask>
  auto ask(Ask work) -> decltype(work()) {
    std::optional<decltype(work())> answer;
    VMPATCH_CHECK(read([&]() -> Result<void> {
      answer = work();
      return *answer ? Result<void>() : Result<void>(answer->error());
    }));
    return std::move(*answer);
  }
  /// One transaction that joins another write(); checked first. Afterwards the anchor is moved on.
  Result<void> write(const Work& work);
  /// `not_anchored` gets why the anchor stayed behind a commit.
  void announce_to(Announce announce, std::function<void(const Error&)> not_anchored) {
    announce_ = std::move(announce);
    not_anchored_ = std::move(not_anchored);
  }
  /// The newest row, checked as by read().
  Result<Head> head() {
    return ask([&]() -> Result<Head> { return head_; });
  }

  // Inside read() or write(). Errc::untrusted when records and seals do not fit, or a key is there twice. What comes back is what was
  // checked: nobody asks the database a second time, which might answer otherwise (by an index, say, that something else wrote).

  /// Every record that fits is sealed as it is.
  Result<Rows> load(const RecordKind& kind, const Which& which);
  /// `which`, one record or none, is there exactly if `key` is sealed.
  Result<std::optional<Row>> load_key(const RecordKind& kind, const std::string& group, const std::string& key, const Which& which);
  /// `which` gives exactly the records that are sealed as PREFIX and a last part.
  Result<Rows> load_prefix(const RecordKind& kind, const std::string& group, const std::string& prefix, const Which& which);
  /// The records of a kind whose keys are NAME/… are exactly those that are sealed. `order`: what stands behind ORDER BY.
  Result<Rows> load_all(const RecordKind& kind, const std::string& order);
  /// `which`, one record or none, is the last of those.
  Result<std::optional<Row>> load_last(const RecordKind& kind, const std::string& group, const std::string& prefix, const Which& which);

  // Inside write().

  /// `work` inserts, changes or removes the records that fit, which were sealed as they are until now.
  Result<void> change(const RecordKind& kind, const Which& which, const Work& work);
  /// The audit row that tells of what was changed. What is changed without one gets one of its own at the end.
  Result<void> note(Time time, const std::string& action, const std::string& subject, const Json& data);

  // For a database that is not what it should be.

  /// As they are. Of a key that is there twice the first one counts; `twice` gets it, and where that is null, it is Errc::untrusted.
  Result<Records> records(const RecordKind& kind, const Which& which, std::vector<std::string>* twice = nullptr);
  /// As they are stored, whether they lead to the root or not.
  Result<Seals> stored_seals() { return tree_.stored(); }
  /// Errc::untrusted when the stored seals do not lead to `root`.
  Result<void> check_seals(const Digest& root);
  /// Seals what is there after `first`, under a schema that is ours, with an audit row "records.accepted". Value: that row; the anchor
  /// is left as it is. Errc::refused: the file is not sound.
  Result<Head> accept(Time time, const Json& data, const Work& first);

  [[nodiscard]] Database& database() { return *database_; }
  [[nodiscard]] const Anchor& anchor() const { return anchor_; }
  [[nodiscard]] const RecordSchema& schema() const { return *schema_; }
  [[nodiscard]] const std::string& actor() const { return actor_; }

 private:
  SealedDatabase(Database database, const RecordSchema& schema, Anchor anchor);
  /// Of a database that the anchor knows.
  Result<void> check_sealed_version();
  Result<void> bring_up_to_date();
  /// Schema, rows of the chain from the anchor on, root of the seals. Not again as long as nobody else writes.
  Result<void> check_state(const Result<std::vector<Head>>& anchored);
  Result<void> check_schema();
  /// The rows from the anchor on; head_ and the tree's root become those of the last.
  Result<void> check_chain(const Head& anchored);
  Result<void> seal_everything();
  Result<void> make_sound();
  /// records() that are sealed as they are.
  Result<Records> checked(const RecordKind& kind, const Which& which);
  Result<std::optional<Digest>> sealed(const std::string& group, const std::string& key);
  Result<Seals> sealed_under(const std::string& group, const std::string& prefix);
  Error differs(const std::string& key, std::string_view what) const;
  void after_commit();

  std::unique_ptr<Database> database_;  ///< the tree has its address
  const RecordSchema* schema_;
  Anchor anchor_;
  SealTree tree_;
  Announce announce_;
  std::function<void(const Error&)> not_anchored_;
  std::string actor_;
  Head head_;
  std::optional<std::int64_t> checked_version_;  ///< data_version() of the state that head_ and tree_ are of
  SealChanges pending_;  ///< no audit row has told of them yet
};

/// Everything that makes a schema, in order: type, name, table and SQL of each object.
Result<std::string> schema_text(Database& database);
[[nodiscard]] const Head* find_head(const std::vector<Head>& heads, std::string_view chain);

}  // namespace vmpatch::ledger
