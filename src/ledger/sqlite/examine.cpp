#include "ledger/sqlite/examine.hpp"

#include <algorithm>
#include <set>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/schema_difference.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view accepted_action = "records.accepted";

/// What is wrong with a row, and in which one, so that what was accepted later can be left out.
struct RowProblem {
  std::int64_t sequence;
  std::string text;
};

Result<void> check_row(const AuditRow& row, const AuditRow* previous, bool first) {
  if (previous != nullptr || first) return check_audit_row(row, previous);
  // After a row that cannot be read, nothing is known but what this one says of itself.
  if (row.digest == audit_digest(row)) return {};
  return fail(Errc::untrusted, "audit row {} was changed: its digest does not fit", row.sequence);
}

class Examiner {
 public:
  explicit Examiner(SealedDatabase& sealed) : sealed_(sealed) {
    examined_.chain = sealed.schema().chain;
    examined_.file = sealed.database().file();
    examined_.newest.chain = examined_.chain;
  }

  Result<Examined> run() {
    const auto anchored = sealed_.anchor().read_all();
    VMPATCH_CHECK(sealed_.database().snapshot([&]() -> Result<void> {
      examine_anchor(anchored);
      examine_schema();
      examine_file();
      examine_rows();
      examine_records();
      return {};
    }));
    return std::move(examined_);
  }

 private:
  void problem(std::string text) { examined_.problems.push_back(std::move(text)); }
  void problem(const Result<void>& done) {
    if (!done) problem(done.error().message);
  }

  void broken(const std::string& key, std::string_view how) {
    problem(fmt::format("record {} {}", escape_untrusted(key), how));
    examined_.broken.push_back(key);
  }

  void examine_anchor(const Result<std::vector<Head>>& anchored) {
    if (!anchored && anchored.error().code == Errc::not_found) return problem(fmt::format("its anchor {} is missing", anchor_name()));
    if (!anchored) return problem(anchored.error().message);
    const Head* head = find_head(*anchored, examined_.chain);
    if (head == nullptr) return problem(fmt::format("its anchor {} says nothing about it", anchor_name()));
    examined_.anchored = *head;
  }

  void examine_schema() {
    const auto newest = static_cast<std::int64_t>(sealed_.schema().migrations().size());
    const auto stated = sealed_.database().user_version();
    if (stated && *stated != newest) problem(fmt::format("it says schema version {}, and its tables are those of version {}", *stated, newest));
    const auto differences = schema_differences(sealed_.database(), sealed_.schema().migrations());
    if (!differences) return problem(differences.error().message);
    for (const SchemaDifference& difference : *differences) problem(difference.text());
  }

  /// An index or a constraint that something else went around makes one question answer otherwise than another.
  void examine_file() {
    const auto said = sealed_.database().integrity_problems();
    if (!said) return problem(said.error().message);
    for (const std::string& text : *said) problem(fmt::format("the file is not sound: {}", escape_untrusted(text)));
  }

  void examine_rows() {
    std::vector<RowProblem> found;
    std::optional<Digest> at_anchor;
    const auto visit = [&](const Result<AuditRow>& row, const AuditRow* previous) -> Result<void> {
      const bool first = examined_.rows++ == 0;
      if (!row) found.push_back({examined_.newest.sequence + 1, row.error().message});
      if (!row) return {};
      if (const auto checked = check_row(*row, previous, first); !checked) found.push_back({row->sequence, checked.error().message});
      if (examined_.anchored && row->sequence == examined_.anchored->sequence) at_anchor = row->digest;
      if (row->action == accepted_action) examined_.accepted.push_back(*row);
      newest_ = *row;
      examined_.newest.sequence = row->sequence;
      examined_.newest.digest = row->digest;
      examined_.newest.time = row->time;
      return {};
    };
    problem(each_audit_row(sealed_.database(), 0, visit));
    const std::int64_t from = examined_.accepted.empty() ? 0 : examined_.accepted.back().sequence;
    for (RowProblem& row : found) {
      if (row.sequence >= from) problem(std::move(row.text));
    }
    const auto given = last_given_sequence(sealed_.database());
    if (given && *given != examined_.newest.sequence) {
      problem(fmt::format("audit row {} is missing: the chain ends at row {}", examined_.newest.sequence + 1, examined_.newest.sequence));
    }
    compare_with_anchor(at_anchor);
  }

  void compare_with_anchor(const std::optional<Digest>& at_anchor) {
    if (!examined_.anchored || examined_.anchored->sequence == 0) return;
    const Head& anchored = *examined_.anchored;
    if (anchored.sequence > examined_.newest.sequence) {
      problem(fmt::format("it is older than its anchor {}: it ends at audit row {}, and the anchor knows row {} of {}", anchor_name(),
                          examined_.newest.sequence, anchored.sequence, format_time(anchored.time)));
    } else if (at_anchor != anchored.digest) {
      examined_.sealed = false;
      problem(fmt::format("audit row {} is not the one that the anchor {} knows: the chain was computed anew", anchored.sequence, anchor_name()));
    }
  }

  void examine_records() {
    const bool told = newest_ && newest_->records;
    if (newest_ && !told) problem(fmt::format("audit row {} has no digest over the records", newest_->sequence));
    const auto seals = sealed_.check_seals(told ? *newest_->records : SealTree::empty());
    problem(seals);
    auto missing = sealed_.stored_seals();
    examined_.sealed = examined_.sealed && told && seals && missing;
    if (!missing) return problem(missing.error().message);
    for (const RecordKind* kind : sealed_.schema().kinds()) examine_kind(*kind, *missing);
    for (const auto& [key, digest] : *missing) broken(key, "is missing");
  }

  /// Takes the seals of the records that are there out of `seals`.
  void examine_kind(const RecordKind& kind, Seals& seals) {
    std::vector<std::string> twice;
    const auto all = sealed_.records(kind, {"1"}, &twice);
    if (!all) return problem(all.error().message);
    for (const std::string& key : twice) {
      broken(key, "is there twice, and something else than vm-patch wrote one of them");
    }
    for (const Record& record : *all) {
      const auto seal = seals.find(record.key);
      if (seal == seals.end()) {
        broken(record.key, "was put in by something else than vm-patch");
      } else {
        if (seal->second != record.digest) broken(record.key, "was changed by something else than vm-patch");
        seals.erase(seal);
      }
    }
  }

  [[nodiscard]] std::string anchor_name() const { return sealed_.anchor().file().string(); }

  SealedDatabase& sealed_;
  Examined examined_;
  std::optional<AuditRow> newest_;
};

}  // namespace

Result<Examined> examine(SealedDatabase& sealed) { return Examiner(sealed).run(); }

Result<std::int64_t> verify_database(SealedDatabase& sealed) {
  VMPATCH_TRY(const Examined examined, examine(sealed));
  if (examined.problems.empty()) return examined.rows;
  const std::size_t more = examined.problems.size() - 1;
  return fail(Errc::untrusted, "{}: {}{}", examined.file.string(), examined.problems.front(),
              more == 0 ? "" : fmt::format(" (and {} more; see `vm-patch audit verify`)", more));
}

}  // namespace vmpatch::ledger
