#include "advisory/kev.hpp"

#include "advisory/json_elements.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

void read_entry(const Json& entry, const std::string& where, Intake& intake) {
  const std::string& cve = text_of(entry, "cveID");
  if (!is_cve(cve)) return intake.skip(where, "no usable \"cveID\"");
  const Exploitation exploitation{feed_time(text_of(entry, "dateAdded")), text_of(entry, "knownRansomwareCampaignUse") == "Known"};
  if (!intake.store.exploit(cve, exploitation)) return;
  ++intake.state.relevant;
  if (!exploitation.since) intake.complain(where + " (" + cve + ")", "no usable \"dateAdded\"");
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
