#pragma once
// CSAF 2.0 documents: security advisories and VEX (https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html, sections 3.2, 4.4, 4.5).

#include <string_view>

#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// One document. Each of its vulnerabilities is a record. Errors: not JSON, no CSAF document.
Result<void> load_csaf(std::string_view text, Intake& intake);

}  // namespace vmpatch::advisory
