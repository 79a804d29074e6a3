#include "advisory/feed_kind.hpp"

#include "advisory/json_elements.hpp"
#include "advisory/store.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

/// By the keys of the outermost object, as far as the head shows them.
FeedKind kind_of_object(std::string_view head) {
  FeedKind kind = FeedKind::automatic;
  JsonElements how;
  how.wanted = [&](const JsonPath& path) {
    const std::string& key = path[0];
    if (kind != FeedKind::automatic) return false;
    if (key == "document" || key == "product_tree") kind = FeedKind::csaf;
    if (key == "affected" || key == "schema_version" || key == "modified") kind = FeedKind::osv;
    if (key == "catalogVersion") kind = FeedKind::kev;
    return false;
  };
  how.visit = [](const JsonElement&) -> Result<void> { return {}; };
  // The head may end anywhere.
  static_cast<void>(each_json_element(head, how).has_value());
  if (kind != FeedKind::automatic) return kind;
  how.depth = 2;
  how.wanted = [&](const JsonPath& path) {
    if (is_cve(path[1]) || path[1].starts_with("TEMP-")) kind = FeedKind::debian_tracker;
    return false;
  };
  static_cast<void>(each_json_element(head, how).has_value());
  if (kind != FeedKind::automatic) return kind;
  how.depth = 3;
  how.wanted = [&](const JsonPath& path) {
    if (path[0] != "vulnerabilities" || kind != FeedKind::automatic) return false;
    if (path[2] == "cveID") kind = FeedKind::kev;
    if (path[2] == "cve" || path[2] == "product_status") kind = FeedKind::csaf;
    return false;
  };
  static_cast<void>(each_json_element(head, how).has_value());
  return kind;
}

}  // namespace

bool is_gzip(std::string_view head) { return head.starts_with("\x1f\x8b"); }

Result<FeedForm> recognise_feed(std::string_view head, FeedKind kind) {
  FeedForm form;
  form.kind = kind;
  if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) {
    form.packing = FeedForm::Packing::zip;
    if (kind == FeedKind::automatic) form.kind = FeedKind::osv;
    if (form.kind != FeedKind::osv) return fail(Errc::usage, "a zip archive is no {} feed", to_string(kind));
    return form;
  }
  const std::string_view text = trim(head);
  form.is_array = text.starts_with('[');
  FeedKind found = FeedKind::automatic;
  if (form.is_array) found = FeedKind::osv;
  else if (text.starts_with('{')) found = kind_of_object(text);
  else if (text.starts_with("#model_version") || text.starts_with("cve,epss,")) found = FeedKind::epss;
  if (kind == FeedKind::automatic) form.kind = found;
  if (found != FeedKind::automatic && found != form.kind) {
    return fail(Errc::usage, "this is no {} feed but a {} feed; name it {}=… or without a kind", to_string(kind), to_string(found), to_string(found));
  }
  // Where the head does not tell, the kind that was named is tried.
  if (form.kind != FeedKind::automatic) return form;
  return fail(Errc::failed, "this is no feed that is known (OSV, Debian tracker, CSAF, KEV, EPSS); it begins with '{}'",
              escape_untrusted(text.substr(0, 40)));
}

}  // namespace vmpatch::advisory
