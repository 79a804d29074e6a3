#include "advisory/kev.hpp"

#include "advisory/json_elements.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

void read_entry(const Json& entry, const std::string& where, Intake& intake) {
  const std::string& cve = text_of(entry, "cveID");
  if (!is_cve(cve)) return intake.skip(where, "no usable \"cveID\"");
  Advisory* advisory = intake.store.known(cve);
  if (advisory == nullptr) return;
  ++intake.state.relevant;
  advisory->exploited = true;
  if (const auto added = feed_time(text_of(entry, "dateAdded")); added) {
    if (!advisory->exploited_since || *added < *advisory->exploited_since) advisory->exploited_since = added;
  } else {
    intake.complain(where + " (" + cve + ")", "no usable \"dateAdded\"");
  }
  if (text_of(entry, "knownRansomwareCampaignUse") == "Known") advisory->ransomware = true;
}

}  // namespace

Result<void> load_kev(ByteSource& source, Intake& intake) {
  bool found = false;
  JsonElements how;
  how.depth = 1;
  how.wanted = [](const JsonPath& path) { return path[0] == "vulnerabilities" || path[0] == "dateReleased"; };
  how.visit = [&](const JsonElement& element) -> Result<void> {
    VMPATCH_TRY(const Json json, parse_json(element.text, element.path[0]));
    if (element.path[0] == "dateReleased") {
      intake.state.issued = feed_time(text_of(json));
      return {};
    }
    if (!json.is_array()) return {};
    found = true;
    for (const auto& entry : json) {
      ++intake.state.records;
      read_entry(entry, fmt::format("entry {}", intake.state.records), intake);
    }
    return {};
  };
  VMPATCH_CHECK(each_json_element(source, how));
  if (!found) return fail(Errc::failed, "no list of \"vulnerabilities\": this is no KEV catalogue");
  return {};
}

}  // namespace vmpatch::advisory
