#include "vmpatch/ledger/facts_cache.hpp"

#include <mutex>

#include "ledger/sqlite/migrate.hpp"

namespace vmpatch::ledger {
namespace {

class SqliteFactsCache final : public FactsCache {
 public:
  explicit SqliteFactsCache(Database database) : database_(std::move(database)) {}

  Result<std::optional<CachedFacts>> find(const std::string& machine_uuid) override {
    const std::lock_guard lock(mutex_);
    VMPATCH_TRY(Statement s, database_.prepare("SELECT identities, facts, read FROM facts WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<CachedFacts>();
    CachedFacts entry;
    VMPATCH_TRY(entry.identities, s.json(0));
    entry.facts = s.text(1);
    entry.read = s.time(2);
    return std::optional(std::move(entry));
  }

  Result<void> put(const std::string& machine_uuid, const CachedFacts& entry) override {
    const std::lock_guard lock(mutex_);
    return database_.transaction([&]() -> Result<void> {
      VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO facts (machine_uuid, identities, facts, read) "
                                                 "VALUES (?, ?, ?, ?)"));
      const std::string identities = dump_json(entry.identities);
      return s.bind(machine_uuid, identities, entry.facts, entry.read).run();
    });
  }

 private:
  Database database_;
  std::mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<FactsCache>> FactsCache::open(const std::filesystem::path& file) {
  // Closing does not copy the WAL back: that costs fsyncs, and SQLite does it by itself every thousand pages.
  VMPATCH_TRY(Database database, Database::open(file, {.mode = Database::Mode::read_write, .busy_timeout_ms = 5000,
                                                       .checkpoint_on_close = false}));
  VMPATCH_CHECK(database.execute("PRAGMA synchronous=NORMAL"));
  VMPATCH_CHECK(migrate(database, facts_migrations()));
  return std::unique_ptr<FactsCache>(std::make_unique<SqliteFactsCache>(std::move(database)));
}

}  // namespace vmpatch::ledger
