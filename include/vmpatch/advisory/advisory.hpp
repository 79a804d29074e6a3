#pragma once
// What is known about a vulnerability, and what it means for one package of one machine.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::advisory {

enum class Severity { unknown, none, low, medium, high, critical };
std::string_view to_string(Severity severity);
Result<Severity> parse_severity(std::string_view word);

/// One vulnerability, joined over all feeds by its CVE (or, without one, by the feed's own id).
struct Advisory {
  std::string id;                    ///< CVE-2024-0001; DSA-…, GHSA-… only where no CVE is known
  std::vector<std::string> aliases;  ///< the others: DSA-5532-1, GHSA-…; sorted
  std::string summary;               ///< one line, hostile text
  Severity severity = Severity::unknown;
  std::string severity_source;       ///< "CVSS 3.1 9.8 (osv)", "urgency high (debian-tracker)"
  std::optional<double> cvss;        ///< base score 0–10, the highest of those given
  std::optional<Time> published;     ///< earliest
  bool exploited = false;            ///< in CISA KEV
  std::optional<Time> exploited_since;  ///< KEV dateAdded
  bool ransomware = false;              ///< KEV knownRansomwareCampaignUse = Known
  std::optional<double> epss;           ///< probability of exploitation in 30 days, 0–1
  std::optional<double> epss_percentile;
};

/// "unassessable" is a state of a machine, not of a finding.
enum class Status { affected_fixed, affected_unfixed, under_investigation, not_affected };
std::string_view to_string(Status status);  ///< "affected, fix available", "affected, no fix", "under investigation", "not affected"
std::string_view status_word(Status status);  ///< for JSON and CSV: affected_fixed, affected_unfixed, under_investigation, not_affected

struct Finding {
  std::shared_ptr<const Advisory> advisory;
  std::string package;                ///< as the feed names it: Debian: the source package
  std::string installed;              ///< the version that was compared: Debian: the source version
  std::vector<std::string> binaries;  ///< installed packages it stands for: "libssl3 amd64 3.0.11-1~deb12u1"; sorted; of more than 50 the first, then "and N more"
  Status status = Status::under_investigation;
  std::string fixed;                  ///< lowest version that holds the fix; empty = none
  std::string reason;                 ///< in words: why not affected, what is investigated, which range matched; hostile text
  std::vector<std::string> sources;   ///< "osv:DSA-5532-1", "debian-tracker:CVE-…", "csaf:…"; sorted
};

Json to_json(const Advisory& advisory);
Json to_json(const Finding& finding);

}  // namespace vmpatch::advisory
