#include "vmpatch/ledger/facts_cache.hpp"

#include <mutex>

#include "ledger/sqlite/migrate.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// What another version of this program read is read again: a mended reader must reach disks that never change.
std::string digest_of(const std::string& machine_uuid, const std::string& identities, const std::string& facts, Time read) {
  return sha256(fmt::format(VMPATCH_VERSION "\n{}\n{}\n{}\n{}", machine_uuid, read.time_since_epoch().count(), identities, facts)).hex();
}

class SqliteFactsCache final : public FactsCache {
 public:
  explicit SqliteFactsCache(Database database) : database_(std::move(database)) {}

  Result<std::optional<CachedFacts>> find(const std::string& machine_uuid) override {
    const std::lock_guard lock(mutex_);
    VMPATCH_TRY(Statement s, database_.prepare("SELECT identities, facts, read, digest FROM facts WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<CachedFacts>();
    CachedFacts entry{{}, s.text(1), s.time(2)};
    if (digest_of(machine_uuid, s.text(0), entry.facts, entry.read) != s.text(3)) return std::optional<CachedFacts>();
    VMPATCH_TRY(entry.identities, s.json(0));
    return std::optional(std::move(entry));
  }

  Result<void> put(const std::string& machine_uuid, const CachedFacts& entry) override {
    const std::lock_guard lock(mutex_);
    return database_.transaction([&]() -> Result<void> {
      VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO facts (machine_uuid, identities, facts, read, digest) "
                                                 "VALUES (?, ?, ?, ?, ?)"));
      const std::string identities = dump_json(entry.identities);
      const std::string digest = digest_of(machine_uuid, identities, entry.facts, entry.read);
      return s.bind(machine_uuid, identities, entry.facts, entry.read, digest).run();
    });
  }

 private:
  Database database_;
  std::mutex mutex_;
};

Result<std::unique_ptr<FactsCache>> open_file(const std::filesystem::path& file) {
  VMPATCH_TRY(Database database, Database::open(file, {}));
  VMPATCH_CHECK(database.execute("PRAGMA synchronous=OFF"));
  VMPATCH_CHECK(migrate(database, facts_migrations()));
  return std::unique_ptr<FactsCache>(std::make_unique<SqliteFactsCache>(std::move(database)));
}

}  // namespace

Result<std::unique_ptr<FactsCache>> FactsCache::open(const std::filesystem::path& file) {
  auto cache = open_file(file);
  if (cache || (cache.error().code != Errc::failed && cache.error().code != Errc::untrusted)) return cache;
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix, ignored);
  return open_file(file);
}

}  // namespace vmpatch::ledger
