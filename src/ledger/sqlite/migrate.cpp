#include "ledger/sqlite/migrate.hpp"

namespace vmpatch::ledger {

Result<void> migrate(Database& database, const std::vector<std::string_view>& migrations) {
  const auto newest = static_cast<std::int64_t>(migrations.size());
  VMPATCH_TRY(std::int64_t version, database.user_version());
  if (version == newest) return {};
  return database.transaction([&]() -> Result<void> {
    // Again, now that no other process can migrate at the same time.
    VMPATCH_TRY(version, database.user_version());
    if (version > newest || version < 0) {
      return fail(Errc::refused, "{} has schema version {}, this program knows {}; use the newer vm-patch", database.file(),
                  version, newest);
    }
    for (; version < newest; ++version) {
      VMPATCH_CHECK(database.execute(std::string(migrations[static_cast<std::size_t>(version)])));
      VMPATCH_CHECK(database.execute(fmt::format("PRAGMA user_version={}", version + 1)));
    }
    return {};
  });
}

Result<void> check_version(Database& database, const std::vector<std::string_view>& migrations) {
  VMPATCH_TRY(const std::int64_t version, database.user_version());
  if (version == static_cast<std::int64_t>(migrations.size())) return {};
  return fail(Errc::failed, "{} has schema version {}, this program needs {}; run vm-patch status once to bring it up to date",
              database.file(), version, migrations.size());
}

}  // namespace vmpatch::ledger
