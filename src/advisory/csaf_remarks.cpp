#include "advisory/csaf_remarks.hpp"

#include <algorithm>

#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t longest_note = 300;

}  // namespace

CsafRemarks::CsafRemarks(const Json& product_tree) {
  for (const auto& group : items_of(product_tree, "product_groups")) {
    groups_.emplace(text_of(group, "group_id"), &items_of(group, "product_ids"));
  }
}

void CsafRemarks::read(const Json& vulnerability) {
  not_affected_.clear();
  affected_.clear();
  mended_.clear();
  for (const auto& flag : items_of(vulnerability, "flags")) add(flag, text_of(flag, "label"), not_affected_);
  for (const auto& threat : items_of(vulnerability, "threats")) {
    if (text_of(threat, "category") == "impact") add(threat, text_of(threat, "details"), not_affected_);
  }
  for (const auto& remediation : items_of(vulnerability, "remediations")) {
    const std::string& category = text_of(remediation, "category");
    if (category == "vendor_fix") add(remediation, category, mended_);
    if (category != "no_fix_planned" && category != "none_available" && category != "fix_planned") continue;
    std::string text = category;
    std::replace(text.begin(), text.end(), '_', ' ');
    const std::string& details = text_of(remediation, "details");
    if (!details.empty()) text += ": " + details.substr(0, details.find_first_of("\r\n"));
    add(remediation, text, affected_);
  }
}

void CsafRemarks::add(const Json& holder, const std::string& text, Notes& notes) const {
  if (text.empty()) return;
  const std::string note = text.substr(0, std::min(longest_note, text.find_first_of("\r\n")));
  for (const auto& id : items_of(holder, "product_ids")) notes.emplace(text_of(id), note);
  for (const auto& group : items_of(holder, "group_ids")) {
    const auto found = groups_.find(text_of(group));
    if (found == groups_.end()) continue;
    for (const auto& id : *found->second) notes.emplace(text_of(id), note);
  }
}

const std::string& CsafRemarks::find(const Notes& notes, const std::string& product) {
  static const std::string none;
  const auto found = notes.find(product);
  return found == notes.end() ? none : found->second;
}

}  // namespace vmpatch::advisory
