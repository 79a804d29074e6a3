#pragma once
// What `dpkg --audit` says, so that it can be compared. Pure. Source: dpkg's src/main/enquiry.c, audit(): for each kind of problem a
// heading of several lines, then a line " NAME  DESCRIPTION" for each package, then an empty line; warnings on standard error.

#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace vmpatch::engine {

/// Heading (joined by spaces) and package. Warnings, and packages that were built without digests of their files, are no findings.
using AuditFindings = std::set<std::pair<std::string, std::string>>;

AuditFindings parse_audit(std::string_view output);

/// For people, escaped, at most some lines; "" = there is nothing new.
std::string new_findings(const AuditFindings& before, const AuditFindings& after);

}  // namespace vmpatch::engine
