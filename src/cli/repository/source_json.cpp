#include "cli/repository/source_json.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

Json pin_json(const std::optional<repository::Pin>& pin) {
  if (!pin) return {};
  if (const auto* digest = std::get_if<Digest>(&*pin)) return "sha256:" + digest->hex();
  constexpr std::size_t date_size = 10;
  return format_time(std::get<Time>(*pin) - std::chrono::days(1)).substr(0, date_size);
}

}  // namespace

Json source_json(const repository::Source& source) {
  Json keys = Json::array();
  for (const auto& file : source.signed_by) keys.push_back(file.string());
  return {{"name", source.name},
          {"type", source.type == repository::Type::apt ? "apt" : "rpmmd"},
          {"for", {{"os", source.os_id}, {"versions", source.versions}}},
          {"uris", source.uris},
          {"suites", source.suites},
          {"components", source.components},
          {"architectures", source.architectures},
          {"signed_by", std::move(keys)},
          {"security", source.security},
          {"snapshot", pin_json(source.snapshot)},
          {"max_age", source.max_age ? Json(source.max_age->count()) : Json()}};
}

}  // namespace vmpatch::cli
