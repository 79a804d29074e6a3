#pragma once
// What both forms of a bill of materials are made of.

#include "vmpatch/report/sbom.hpp"

namespace vmpatch::report {

/// Files of the package are in the guest: installed, or left half done.
[[nodiscard]] bool is_present(const guest::Package& package);
/// Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string utf8_text(std::string_view bytes);

Json cyclonedx(const SbomSubject& subject, const guest::Facts& facts);
Json spdx(const SbomSubject& subject, const guest::Facts& facts);

}  // namespace vmpatch::report
