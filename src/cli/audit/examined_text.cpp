#include "cli/audit/examined_text.hpp"

#include <algorithm>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

std::string text_of(const Json& data, const char* key) {
  const auto found = data.is_object() ? data.find(key) : data.end();
  return found != data.end() && found->is_string() ? found->get<std::string>() : "";
}

bool is_true(const Json& data, const char* key) {
  const auto found = data.is_object() ? data.find(key) : data.end();
  return found != data.end() && found->is_boolean() && found->get<bool>();
}

std::string anchor_text(const ledger::Examined& examined) {
  if (!examined.anchored) return "no anchor";
  const std::int64_t behind = examined.newest.sequence - examined.anchored->sequence;
  if (behind <= 0) return fmt::format("anchor at row {}", examined.anchored->sequence);
  return fmt::format("anchor {} row(s) behind, at row {}", behind, examined.anchored->sequence);
}

}  // namespace

bool has_problems(const std::vector<ledger::Examined>& all) {
  return std::ranges::any_of(all, [](const ledger::Examined& one) { return !one.problems.empty(); });
}

std::string examined_text(const ledger::Examined& examined) {
  std::string text = fmt::format("{:<14}{} rows, {}, {}, last digest {}\n", examined.chain == "gate" ? "gate records" : examined.chain,
                                 examined.rows,
                                 examined.problems.empty() ? "chain and records hold" : fmt::format("{} PROBLEM(S)", examined.problems.size()),
                                 anchor_text(examined), examined.newest.sequence > 0 ? examined.newest.digest.hex() : "-");
  for (const ledger::AuditRow& row : examined.accepted) {
    text += fmt::format("              accepted at row {} on {} by {}: {}\n", row.sequence, format_time(row.time), escape_untrusted(row.actor),
                        escape_untrusted(text_of(row.data, "reason")));
    if (is_true(row.data, "forgotten")) text += "              nothing was known any more of what was before\n";
  }
  return text;
}

Json examined_json(const ledger::Examined& examined) {
  Json json{{"chain", examined.chain}, {"file", examined.file.string()}, {"rows", examined.rows},
            {"last_digest", examined.newest.sequence > 0 ? Json(examined.newest.digest.hex()) : Json()},
            {"anchored_row", examined.anchored ? Json(examined.anchored->sequence) : Json()}, {"accepted", Json::array()},
            {"problems", examined.problems}, {"warnings", examined.warnings}};
  for (const ledger::AuditRow& row : examined.accepted) {
    json["accepted"].push_back({{"row", row.sequence}, {"time", format_time(row.time)}, {"actor", row.actor}, {"data", row.data}});
  }
  return json;
}

}  // namespace vmpatch::cli
