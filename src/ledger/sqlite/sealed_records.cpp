#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

/// From so many records on, all seals at once cost less than each by itself.
constexpr std::size_t many = 500;

/// Of a question that has one answer at most.
std::optional<Row> only_row(Records records) {
  Rows rows = std::move(records).take_rows();
  return rows.empty() ? std::optional<Row>() : std::optional(std::move(rows.front()));
}

}  // namespace

bool Records::add(Record record) {
  if (!by_key_.insert(record.key).second) return false;
  all_.push_back(std::move(record));
  return true;
}

Rows Records::take_rows() && {
  Rows rows;
  rows.reserve(all_.size());
  for (Record& record : all_) rows.push_back(std::move(record.row));
  return rows;
}

Result<Records> SealedDatabase::records(const RecordKind& kind, const Which& which, std::vector<std::string>* twice) {
  VMPATCH_TRY(Statement select, database_->prepare(fmt::format("{} WHERE {}", kind.select, which.where)));
  for (const std::string& value : which.values) select.bind(value);
  Records found;
  for (;;) {
    VMPATCH_TRY(const bool there, select.step());
    if (!there) return found;
    Row row = select.row(2);
    const Digest digest = sha256(row.exact());
    std::string key = select.text(1);
    if (found.add({.group = select.text(0), .key = key, .digest = digest, .row = std::move(row)})) continue;
    if (twice == nullptr) return differs(key, "is there twice, and something else than vm-patch wrote one of them");
    twice->push_back(std::move(key));
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

Result<Records> SealedDatabase::checked(const RecordKind& kind, const Which& which) {
  VMPATCH_TRY(Records found, records(kind, which));
  if (found.size() > many) VMPATCH_CHECK(tree_.load_all());
  for (const Record& record : found) {
    VMPATCH_TRY(const auto seal, sealed(record.group, record.key));
    if (!seal) return differs(record.key, "was put in by something else than vm-patch");
    if (*seal != record.digest) return differs(record.key, "was changed by something else than vm-patch");
  }
  return found;
}

Result<Rows> SealedDatabase::load(const RecordKind& kind, const Which& which) {
  VMPATCH_TRY(Records found, checked(kind, which));
  return std::move(found).take_rows();
}

Result<std::optional<Row>> SealedDatabase::load_key(const RecordKind& kind, const std::string& group, const std::string& key,
                                                    const Which& which) {
  VMPATCH_TRY(Records found, checked(kind, which));
  VMPATCH_TRY(const auto seal, sealed(group, key));
  if (seal && !found.contains(key)) return differs(key, "is missing");
  return only_row(std::move(found));
}

Result<Rows> SealedDatabase::load_prefix(const RecordKind& kind, const std::string& group, const std::string& prefix, const Which& which) {
  VMPATCH_TRY(Records found, checked(kind, which));
  VMPATCH_TRY(const Seals seals, sealed_under(group, prefix));
  for (const auto& [key, digest] : seals) {
    if (!found.contains(key)) return differs(key, "is missing");
  }
  return std::move(found).take_rows();
}

Result<std::optional<Row>> SealedDatabase::load_last(const RecordKind& kind, const std::string& group, const std::string& prefix,
                                                     const Which& which) {
  VMPATCH_TRY(Records found, checked(kind, which));
  VMPATCH_TRY(const Seals seals, sealed_under(group, prefix));
  if (!seals.empty() && !found.contains(seals.rbegin()->first)) return differs(seals.rbegin()->first, "is missing");
  return only_row(std::move(found));
}

Result<Rows> SealedDatabase::load_all(const RecordKind& kind, const std::string& order) {
  VMPATCH_TRY(Records found, checked(kind, {"1 ORDER BY " + order}));
  VMPATCH_TRY(const Seals seals, tree_.all());
  const std::string prefix = std::string(kind.name) + "/";
  for (auto at = seals.lower_bound(prefix); at != seals.end() && at->first.starts_with(prefix); ++at) {
    if (!found.contains(at->first)) return differs(at->first, "is missing");
  }
  return std::move(found).take_rows();
}

Result<void> SealedDatabase::change(const RecordKind& kind, const Which& which, const Work& work) {
  VMPATCH_TRY(const Records before, checked(kind, which));
  VMPATCH_CHECK(work());
  VMPATCH_TRY(const Records after, records(kind, which));
  for (const Record& record : before) {
    if (!after.contains(record.key)) pending_[record.key] = {record.group, std::nullopt};
  }
  for (const Record& record : after) {
    if (!before.contains(record.key)) {
      VMPATCH_TRY(const auto seal, sealed(record.group, record.key));
      if (seal) return differs(record.key, "was removed by something else than vm-patch");
    }
    pending_[record.key] = {record.group, record.digest};
  }
  return {};
}

}  // namespace vmpatch::ledger
