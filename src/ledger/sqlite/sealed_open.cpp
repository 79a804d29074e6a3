#include <algorithm>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/schema_difference.hpp"
#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

fs::path folder_of(const fs::path& file) { return file.parent_path().empty() ? fs::path(".") : file.parent_path(); }

/// A file that is no database may be found out by its first question only.
Result<Database> open_readable(const fs::path& file, const Database::Options& options) {
  VMPATCH_TRY(Database database, Database::open(file, options));
  VMPATCH_CHECK(database.user_version());
  return database;
}

}  // namespace

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
  if (known) VMPATCH_CHECK(sealed.check_sealed_version());
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
  const auto newest = static_cast<std::int64_t>(schema.migrations().size());
  VMPATCH_TRY(const std::int64_t stated, sealed.database_->user_version());
  if (stated == newest) return sealed;
  VMPATCH_TRY(const std::int64_t made_by, made_by_version(*sealed.database_, schema.migrations()));
  if (options.mode == Database::Mode::read_only) {
    if (made_by != newest) VMPATCH_CHECK(check_version(*sealed.database_, schema.migrations()));
    return sealed;
  }
  if (made_by > 0 && made_by != stated) VMPATCH_CHECK(sealed.database_->execute(fmt::format("PRAGMA user_version={}", made_by)));
  VMPATCH_CHECK(migrate(*sealed.database_, schema.migrations()));
  return sealed;
}

Result<void> SealedDatabase::check_sealed_version() {
  VMPATCH_TRY(const std::int64_t version, database_->user_version());
  if (version < schema_->sealed_from) {
    return fail(Errc::untrusted, "{} is older than its anchor {}: it has no seals yet; {}", database_->file(), anchor_.file().string(), way_out);
  }
  const auto newest = static_cast<std::int64_t>(schema_->migrations().size());
  if (version <= newest) return {};
  // Also after a newer vm-patch was here: this one cannot tell whether its records hold.
  return fail(Errc::untrusted, "{} has schema version {}, this program knows {}; use the newer vm-patch", database_->file(), version, newest);
}

Result<void> SealedDatabase::bring_up_to_date() {
  VMPATCH_TRY(std::int64_t version, database_->user_version());
  if (version >= schema_->sealed_from) return migrate(*database_, schema_->migrations());
  const auto anchored = anchor_.read();
  if (!anchored && anchored.error().code != Errc::not_found) return anchored.error();
  // The file is there before the database says that it must be.
  if (!anchored || find_head(*anchored, schema_->chain) == nullptr) VMPATCH_CHECK(anchor_.begin(head_.chain, SystemClock().now()));
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
    for (const Record& record : all) pending_[record.key] = {record.group, record.digest};
  }
  return {};
}

Result<void> SealedDatabase::check_seals(const Digest& root) {
  checked_version_.reset();
  tree_.expect(root);
  VMPATCH_CHECK(tree_.all());
  return {};
}

Result<void> SealedDatabase::make_sound() {
  // Indexes that say something else than their tables; a key that is there twice stays.
  const auto indexed = database_->execute("REINDEX");
  VMPATCH_TRY(auto problems, database_->integrity_problems());
  if (!indexed) problems.push_back(indexed.error().message);
  if (problems.empty()) return {};
  return fail(Errc::refused, "{} is not sound ({}); {}", database_->file(), escape_untrusted(problems.front()), way_without);
}

Result<Head> SealedDatabase::accept(Time time, const Json& data, const Work& first) {
  pending_.clear();
  checked_version_.reset();
  VMPATCH_CHECK(database_->transaction([&]() -> Result<void> {
    VMPATCH_TRY(const auto differences, schema_differences(*database_, schema_->migrations()));
    VMPATCH_CHECK(repair_schema(*database_, differences));
    VMPATCH_CHECK(make_sound());
    VMPATCH_CHECK(first());
    VMPATCH_TRY(const auto last, last_audit_row(*database_));
    head_.sequence = last ? last->sequence : 0;
    head_.digest = last ? last->digest : Digest{};
    VMPATCH_CHECK(seal_everything());
    VMPATCH_CHECK(note(time, "records.accepted", head_.chain, data));
    return set_last_given_sequence(*database_, head_.sequence);
  }));
  return head_;
}

}  // namespace vmpatch::ledger
