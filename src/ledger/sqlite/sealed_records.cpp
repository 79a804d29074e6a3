#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

/// From so many records on, all seals at once cost less than each by itself.
constexpr std::size_t many = 500;

}  // namespace

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
  if (found.size() > many) VMPATCH_CHECK(tree_.load_all());
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

}  // namespace vmpatch::ledger
