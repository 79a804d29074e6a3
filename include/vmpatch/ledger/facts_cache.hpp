#pragma once
// What was read from guests, as long as their disks do not change. Nothing in it is needed: it may be deleted at any time.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

/// One machine's facts and the identities that its disks had when they were read.
struct CachedFacts {
  Json identities;
  std::string facts;  ///< JSON text, guest::to_json
  Time read{};
};

class FactsCache {
 public:
  /// One SQLite file, 0600, that is never waited for: a power failure may damage it. A row says by its digest whether it is
  /// whole, and a file that cannot be opened is made anew. Errors: failed, refused (folder writable by others).
  static Result<std::unique_ptr<FactsCache>> open(const std::filesystem::path& file);
  virtual ~FactsCache() = default;
  /// Nothing where the row is missing or damaged.
  virtual Result<std::optional<CachedFacts>> find(const std::string& machine_uuid) = 0;
  /// Replaces the machine's row.
  virtual Result<void> put(const std::string& machine_uuid, const CachedFacts& entry) = 0;
};

}  // namespace vmpatch::ledger
