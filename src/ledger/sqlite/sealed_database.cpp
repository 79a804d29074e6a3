#include "ledger/sqlite/sealed_database.hpp"

#include <algorithm>
#include <utility>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

Result<std::string> schema_text(Database& database) {
  VMPATCH_TRY(Statement select, database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"));
  std::string text;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return text;
    text += select.row().exact() + '\n';
  }
}

const Head* find_head(const std::vector<Head>& heads, std::string_view chain) {
  const auto found = std::ranges::find(heads, chain, &Head::chain);
  return found == heads.end() ? nullptr : &*found;
}

Result<void> SealedDatabase::read(const Work& work) {
  if (database_->within()) return work();
  // Of a write that failed.
  pending_.clear();
  // Before the snapshot: an anchor that is read later may know rows that the snapshot does not.
  const auto anchored = anchor_.read();
  return database_->snapshot([&]() -> Result<void> {
    VMPATCH_CHECK(check_state(anchored));
    return work();
  });
}

Result<void> SealedDatabase::write(const Work& work) {
  if (database_->within()) return database_->transaction(work);
  const auto anchored = anchor_.read();
  pending_.clear();
  std::int64_t start = 0;
  std::optional<std::int64_t> version;
  VMPATCH_CHECK(database_->transaction([&]() -> Result<void> {
    VMPATCH_CHECK(check_state(anchored));
    start = head_.sequence;
    // What is in memory holds again only when all of this is committed.
    version = std::exchange(checked_version_, std::nullopt);
    VMPATCH_CHECK(work());
    return pending_.empty() ? Result<void>() : note(SystemClock().now(), "records.changed", head_.chain, Json::object());
  }));
  checked_version_ = version;
  if (head_.sequence > start) after_commit();
  return {};
}

void SealedDatabase::after_commit() {
  // The commit is durable, and an anchor that is older says nothing wrong: tend_anchor() moves it on, or tells why not.
  if (const auto moved = anchor_.append(head_); !moved && not_anchored_) not_anchored_(moved.error());
  if (!announce_) return;
  std::vector<Head> heads{head_};
  if (const auto anchored = anchor_.read()) {
    std::ranges::copy_if(*anchored, std::back_inserter(heads), [&](const Head& head) { return head.chain != head_.chain; });
  }
  announce_(heads);
}

Result<void> SealedDatabase::check_state(const Result<std::vector<Head>>& anchored) {
  if (!anchored && anchored.error().code == Errc::not_found) {
    return fail(Errc::untrusted, "the anchor {} of {} is missing; {}", anchor_.file().string(), database_->file(), way_out);
  }
  if (!anchored) return anchored.error();
  const Head* head = find_head(*anchored, head_.chain);
  if (head == nullptr) {
    return fail(Errc::untrusted, "the anchor {} says nothing about {}; {}", anchor_.file().string(), database_->file(), way_out);
  }
  VMPATCH_TRY(const std::int64_t version, database_->data_version());
  if (checked_version_ == version && head->sequence <= head_.sequence) return {};
  checked_version_.reset();
  VMPATCH_CHECK(check_schema());
  VMPATCH_CHECK(check_chain(*head));
  checked_version_ = version;
  return {};
}

Result<void> SealedDatabase::check_schema() {
  VMPATCH_TRY(const std::string text, schema_text(*database_));
  if (sha256(text).hex() == schema_->schema_sha256) return {};
  return fail(Errc::untrusted, "{}: something was added to its schema, taken away or replaced; {}", database_->file(), way_out);
}

Result<void> SealedDatabase::check_chain(const Head& anchored) {
  std::optional<AuditRow> last;
  VMPATCH_CHECK(each_audit_row(*database_, anchored.sequence, [&](const Result<AuditRow>& row, const AuditRow* previous) -> Result<void> {
    if (!row) return row.error().in(database_->file());
    if (previous == nullptr && anchored.sequence > 0) {
      if (row->sequence != anchored.sequence || row->digest != anchored.digest || audit_digest(*row) != row->digest) {
        return fail(Errc::untrusted, "{}: audit row {} is not the one that the anchor {} knows; {}", database_->file(), anchored.sequence,
                    anchor_.file().string(), way_out);
      }
    } else if (const auto checked = check_audit_row(*row, previous); !checked) {
      return checked.error().in(database_->file());
    }
    last = *row;
    return {};
  }));
  if (!last && anchored.sequence > 0) {
    return fail(Errc::untrusted, "{} is older than its anchor {}, which knows audit row {} of {}; {}", database_->file(),
                anchor_.file().string(), anchored.sequence, format_time(anchored.time), way_out);
  }
  head_.sequence = last ? last->sequence : 0;
  head_.digest = last ? last->digest : Digest{};
  head_.time = last ? last->time : Time{};
  tree_.expect(last && last->records ? *last->records : SealTree::empty());
  return {};
}

Result<void> SealedDatabase::note(Time time, const std::string& action, const std::string& subject, const Json& data) {
  VMPATCH_CHECK(tree_.apply(pending_));
  pending_.clear();
  VMPATCH_TRY(const AuditRow row, append_audit(*database_, {.sequence = head_.sequence + 1, .time = time, .actor = actor_, .action = action,
                                                            .subject = subject, .data = data, .previous = head_.digest, .digest = {},
                                                            .records = tree_.expected()}));
  head_.sequence = row.sequence;
  head_.digest = row.digest;
  head_.time = row.time;
  return {};
}

}  // namespace vmpatch::ledger
