#include "vmpatch/core/json.hpp"

#include "vmpatch/advisory/database.hpp"

namespace vmpatch::advisory {
namespace {

Json time_or_null(const std::optional<Time>& time) { return time ? Json(format_time(*time)) : Json(nullptr); }
Json number_or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

}  // namespace

Json to_json(const Advisory& advisory) {
  Json json;
  json["id"] = advisory.id;
  json["aliases"] = advisory.aliases;
  json["summary"] = advisory.summary;
  json["severity"] = to_string(advisory.severity);
  json["severity_source"] = advisory.severity_source;
  json["cvss"] = number_or_null(advisory.cvss);
  json["published"] = time_or_null(advisory.published);
  json["exploited"] = advisory.exploited;
  json["exploited_since"] = time_or_null(advisory.exploited_since);
  json["ransomware"] = advisory.ransomware;
  json["epss"] = number_or_null(advisory.epss);
  json["epss_percentile"] = number_or_null(advisory.epss_percentile);
  return json;
}

Json to_json(const Finding& finding) {
  Json json;
  json["advisory"] = finding.advisory ? to_json(*finding.advisory) : Json(nullptr);
  json["package"] = finding.package;
  json["installed"] = finding.installed;
  json["binaries"] = finding.binaries;
  json["status"] = status_word(finding.status);
  json["fixed"] = finding.fixed.empty() ? Json(nullptr) : Json(finding.fixed);
  json["reason"] = finding.reason;
  json["sources"] = finding.sources;
  return json;
}

Json to_json(const FeedState& state) {
  Json json;
  json["kind"] = to_string(state.kind);
  json["origin"] = state.origin;
  json["sha256"] = state.digest.hex();
  json["fetched"] = format_time(state.fetched);
  json["issued"] = time_or_null(state.issued);
  json["records"] = state.records;
  json["relevant"] = state.relevant;
  json["withdrawn"] = state.withdrawn;
  json["skipped"] = state.skipped;
  json["problems"] = state.problems;
  return json;
}

}  // namespace vmpatch::advisory
