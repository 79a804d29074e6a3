#include "engine/steps/dpkg_audit.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::size_t most_shown = 5;
constexpr std::size_t longest_shown = 200;  ///< bytes

bool is_heading_of_warning(std::string_view heading) { return heading.find("missing the md5sums control file") != std::string_view::npos; }

}  // namespace

AuditFindings parse_audit(std::string_view output) {
  AuditFindings findings;
  std::string heading;
  bool in_packages = false;
  for (const auto line : split(output, '\n')) {
    if (trim(line).empty() || line.starts_with("dpkg: warning:")) continue;
    if (line.starts_with(' ')) {
      in_packages = true;
      if (!is_heading_of_warning(heading)) findings.emplace(heading, trim(line).substr(0, trim(line).find(' ')));
      continue;
    }
    if (in_packages) heading.clear();
    in_packages = false;
    heading += (heading.empty() ? "" : " ") + std::string(trim(line));
  }
  return findings;
}

std::string new_findings(const AuditFindings& before, const AuditFindings& after) {
  std::string text;
  std::size_t count = 0;
  for (const auto& finding : after) {
    if (before.contains(finding) || ++count > most_shown) continue;
    text += (text.empty() ? "" : "; ") + escape_untrusted(finding.second.substr(0, longest_shown)) + ": " +
            escape_untrusted(finding.first.substr(0, longest_shown));
  }
  if (count > most_shown) text += fmt::format("; and {} more", count - most_shown);
  return text;
}

}  // namespace vmpatch::engine
