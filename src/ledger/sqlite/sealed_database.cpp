#include "ledger/sqlite/sealed_database.hpp"

#include <algorithm>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/schema_difference.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view way_out = "see `vm-patch audit verify`; after restoring a backup, `vm-patch audit accept`";

fs::path folder_of(const fs::path& file) { return file.parent_path().empty() ? fs::path(".") : file.parent_path(); }

/// A file that is no database may be found out by its first question only.
Result<Database> open_readable(const fs::path& file, const Database::Options& options) {
  VMPATCH_TRY(Database database, Database::open(file, options));
  VMPATCH_CHECK(database.user_version());
  return database;
}

}  // namespace

Result<std::string> schema_text(Database& database) {
  VMPATCH_TRY(Statement select, database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"));
  std::string text;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return text;
    for (int column = 0; column < select.columns(); ++column) text += select.exact(column);
    text += '\n';
  }
}

const Head* find_head(const std::vector<Head>& heads, std::string_view chain) {
  const auto found = std::ranges::find(heads, chain, &Head::chain);
  return found == heads.end() ? nullptr : &*found;
}

SealedDatabase::SealedDatabase(Database database, const RecordSchema& schema, Anchor anchor)
    : database_(std::make_unique<Database>(std::move(database))),
      schema_(&schema),
      anchor_(std::move(anchor)),
      tree_(*database_),
      actor_(ledger::actor()),
      head_{.chain = std::string(schema.chain), .sequence = 0, .digest = {}, .time = {}} {}

Result<SealedDatabase> SealedDatabase::open(const fs::path& file, const RecordSchema& schema, const Database::Options& options) {
  Anchor anchor(folder_of(file));
  const auto anchored = anchor.read();
  if (!anchored && anchored.error().code != Errc::not_found) return anchored.error();
  const Head* head = anchored ? find_head(*anchored, schema.chain) : nullptr;
  const bool known = head != nullptr && head->sequence > 0;
  std::error_code error;
  if (known && !fs::exists(file, error) && !error) {
    return fail(Errc::untrusted, "{} is missing, and its anchor {} knows {} audit rows of it; {}", file.string(), anchor.file().string(),
                head->sequence, way_out);
  }
  auto database = open_readable(file, options);
  // A file of which nothing is known is only in the way.
  if (!database && database.error().code == Errc::untrusted && !known) return make_error(Errc::failed, database.error().message);
  if (!database) return database.error();
  SealedDatabase sealed(std::move(*database), schema, std::move(anchor));
  if (options.mode == Database::Mode::read_only) {
    VMPATCH_CHECK(check_version(*sealed.database_, schema.migrations()));
  } else {
    VMPATCH_CHECK(sealed.bring_up_to_date());
  }
  return sealed;
}

Result<SealedDatabase> SealedDatabase::open_unchecked(const fs::path& file, const RecordSchema& schema, const Database::Options& options) {
  VMPATCH_TRY(Database database, Database::open(file, options));
  SealedDatabase sealed(std::move(database), schema, Anchor(folder_of(file)));
  const bool reads = options.mode == Database::Mode::read_only;
  VMPATCH_CHECK(reads ? check_version(*sealed.database_, schema.migrations()) : migrate(*sealed.database_, schema.migrations()));
  return sealed;
}

Result<void> SealedDatabase::bring_up_to_date() {
  VMPATCH_TRY(std::int64_t version, database_->user_version());
  if (version >= schema_->sealed_from) return migrate(*database_, schema_->migrations());
  const auto anchored = anchor_.read();
  if (!anchored && anchored.error().code != Errc::not_found) return anchored.error();
  const Head* head = anchored ? find_head(*anchored, schema_->chain) : nullptr;
  if (head != nullptr && head->sequence > 0) {
    return fail(Errc::untrusted, "{} is older than its anchor {}: it has no seals yet; {}", database_->file(), anchor_.file().string(), way_out);
  }
  // The file is there before the database says that it must be.
  if (head == nullptr) VMPATCH_CHECK(anchor_.begin(head_.chain, SystemClock().now()));
  VMPATCH_CHECK(database_->transaction([&]() -> Result<void> {
    VMPATCH_TRY(version, database_->user_version());
    VMPATCH_CHECK(migrate(*database_, schema_->migrations()));
    // Another process was here first, or there is nothing to seal.
    if (version >= schema_->sealed_from || version == 0) return {};
    const Head nothing{.chain = head_.chain, .sequence = 0, .digest = {}, .time = {}};
    VMPATCH_CHECK(check_chain(nothing));
    VMPATCH_CHECK(seal_everything());
    return note(SystemClock().now(), "records.sealed", head_.chain, {{"schema_version", version}});
  }));
  if (head_.sequence > 0) after_commit();
  checked_version_.reset();
  return {};
}

Result<void> SealedDatabase::seal_everything() {
  VMPATCH_CHECK(tree_.clear());
  for (const RecordKind* kind : schema_->kinds()) {
    VMPATCH_TRY(const auto all, records(*kind, {"1"}));
    for (const auto& [key, record] : all) pending_[key] = {record.group, record.digest};
  }
  return {};
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
  // The commit is durable, and an anchor that is older says nothing wrong: `audit verify` tells how far it is behind.
  static_cast<void>(anchor_.append(head_).has_value());
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
    if (!row) return row.error();
    if (previous == nullptr && anchored.sequence > 0) {
      if (row->sequence != anchored.sequence || row->digest != anchored.digest || audit_digest(*row) != row->digest) {
        return fail(Errc::untrusted, "{}: audit row {} is not the one that the anchor {} knows; {}", database_->file(), anchored.sequence,
                    anchor_.file().string(), way_out);
      }
    } else {
      VMPATCH_CHECK(check_audit_row(*row, previous));
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

Result<SealedDatabase::Records> SealedDatabase::records(const RecordKind& kind, const Which& which) {
  VMPATCH_TRY(Statement select, database_->prepare(fmt::format("{} WHERE {}", kind.select, which.where)));
  for (const std::string& value : which.values) select.bind(value);
  Records found;
  for (;;) {
    VMPATCH_TRY(const bool row, select.step());
    if (!row) return found;
    Sha256 hash;
    for (int column = 2; column < select.columns(); ++column) hash.update(select.exact(column));
    found[select.text(1)] = {select.text(0), hash.finish()};
  }
}

Result<std::optional<Digest>> SealedDatabase::sealed(const std::string& group, const std::string& key) {
  if (const auto changed = pending_.find(key); changed != pending_.end()) return changed->second.digest;
  VMPATCH_TRY(const Seals* seals, tree_.of_group(group));
  const auto found = seals->find(key);
  return found == seals->end() ? std::optional<Digest>() : found->second;
}

Result<Seals> SealedDatabase::sealed_under(const std::string& group, const std::string& prefix) {
  VMPATCH_TRY(const Seals* seals, tree_.of_group(group));
  const auto fits = [&](const std::string& key) { return key.starts_with(prefix) && key.find('/', prefix.size()) == std::string::npos; };
  Seals found;
  for (auto at = seals->lower_bound(prefix); at != seals->end() && at->first.starts_with(prefix); ++at) {
    if (fits(at->first)) found.insert(*at);
  }
  for (const auto& [key, changed] : pending_) {
    if (changed.group != group || !fits(key)) continue;
    found.erase(key);
    if (changed.digest) found[key] = *changed.digest;
  }
  return found;
}

Error SealedDatabase::differs(const std::string& key, std::string_view what) const {
  return fail(Errc::untrusted, "{}: record {} {}; {}", database_->file(), escape_untrusted(key), what, way_out);
}

Result<SealedDatabase::Records> SealedDatabase::checked(const RecordKind& kind, const Which& which) {
  VMPATCH_TRY(Records found, records(kind, which));
  for (const auto& [key, record] : found) {
    VMPATCH_TRY(const auto seal, sealed(record.group, key));
    if (!seal) return differs(key, "was put in by something else than vm-patch");
    if (*seal != record.digest) return differs(key, "was changed by something else than vm-patch");
  }
  return found;
}

Result<void> SealedDatabase::check(const RecordKind& kind, const Which& which) {
  VMPATCH_CHECK(checked(kind, which));
  return {};
}

Result<void> SealedDatabase::check_key(const RecordKind& kind, const std::string& group, const std::string& key, const Which& which) {
  VMPATCH_TRY(const Records found, checked(kind, which));
  VMPATCH_TRY(const auto seal, sealed(group, key));
  return seal && !found.contains(key) ? Result<void>(differs(key, "is missing")) : Result<void>();
}

Result<void> SealedDatabase::check_prefix(const RecordKind& kind, const std::string& group, const std::string& prefix,
                                          const Which& which) {
  VMPATCH_TRY(const Records found, checked(kind, which));
  VMPATCH_TRY(const Seals seals, sealed_under(group, prefix));
  for (const auto& [key, digest] : seals) {
    if (!found.contains(key)) return differs(key, "is missing");
  }
  return {};
}

Result<void> SealedDatabase::check_last(const RecordKind& kind, const std::string& group, const std::string& prefix, const Which& which) {
  VMPATCH_TRY(const Records found, checked(kind, which));
  VMPATCH_TRY(const Seals seals, sealed_under(group, prefix));
  if (!seals.empty() && !found.contains(seals.rbegin()->first)) return differs(seals.rbegin()->first, "is missing");
  return {};
}

Result<void> SealedDatabase::check_all(const RecordKind& kind) {
  VMPATCH_TRY(const Records found, checked(kind, {"1"}));
  VMPATCH_TRY(const Seals seals, tree_.all());
  const std::string prefix = std::string(kind.name) + "/";
  for (auto at = seals.lower_bound(prefix); at != seals.end() && at->first.starts_with(prefix); ++at) {
    if (!found.contains(at->first)) return differs(at->first, "is missing");
  }
  return {};
}

Result<void> SealedDatabase::check_seals(const Digest& root) {
  tree_.expect(root);
  VMPATCH_CHECK(tree_.all());
  return {};
}

Result<Head> SealedDatabase::accept(Time time, const Json& data) {
  pending_.clear();
  checked_version_.reset();
  VMPATCH_CHECK(database_->transaction([&]() -> Result<void> {
    VMPATCH_TRY(const auto differences, schema_differences(*database_, schema_->migrations()));
    VMPATCH_CHECK(repair_schema(*database_, differences));
    VMPATCH_TRY(const auto last, last_audit_row(*database_));
    head_.sequence = last ? last->sequence : 0;
    head_.digest = last ? last->digest : Digest{};
    VMPATCH_CHECK(seal_everything());
    VMPATCH_CHECK(note(time, "records.accepted", head_.chain, data));
    return set_last_given_sequence(*database_, head_.sequence);
  }));
  return head_;
}

Result<void> SealedDatabase::change(const RecordKind& kind, const Which& which, const Work& work) {
  VMPATCH_TRY(const Records before, checked(kind, which));
  VMPATCH_CHECK(work());
  VMPATCH_TRY(const Records after, records(kind, which));
  for (const auto& [key, record] : before) {
    if (!after.contains(key)) pending_[key] = {record.group, std::nullopt};
  }
  for (const auto& [key, record] : after) {
    if (!before.contains(key)) {
      VMPATCH_TRY(const auto seal, sealed(record.group, key));
      if (seal) return differs(key, "was removed by something else than vm-patch");
    }
    pending_[key] = {record.group, record.digest};
  }
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
