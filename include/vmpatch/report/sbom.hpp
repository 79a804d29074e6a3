#pragma once
// Software bills of materials of one machine. Deterministic: the same facts and time give the same bytes.

#include <string>
#include <string_view>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::report {

enum class SbomFormat { cyclonedx, spdx };  ///< CycloneDX 1.5 JSON, SPDX 2.3 JSON
Result<SbomFormat> parse_sbom_format(std::string_view word);

struct SbomSubject {
  std::string name;  ///< of the machine; hostile text
  std::string uuid;
  Time time{};       ///< when the facts were read: the document's timestamp
  std::string program_version;
};

/// Every package whose files are there, also those that are not yet configured. Duplicates stay apart. The document's own
/// identifier is a name-based UUID of its content.
Json sbom(SbomFormat format, const SbomSubject& subject, const guest::Facts& facts);

/// Package URL (purl specification, types deb, rpm, apk, alpm): pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12
/// Qualifiers: arch, distro (ID-VERSION_ID), epoch (rpm), upstream (source@version, where the source package differs in name or
/// version; as other inventories write it). Bytes that are not UTF-8 become U+FFFD. "" for a package manager without a type.
std::string package_url(const guest::OsRelease& os, std::string_view package_manager, const guest::Package& package);

}  // namespace vmpatch::report
