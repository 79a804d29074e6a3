#pragma once
// What both forms of a bill of materials are made of.

#include "vmpatch/report/sbom.hpp"

namespace vmpatch::report {

/// Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string utf8_text(std::string_view bytes);

Json cyclonedx(const SbomSubject& subject, const guest::Facts& facts);
Json spdx(const SbomSubject& subject, const guest::Facts& facts);

}  // namespace vmpatch::report
