#pragma once
// OSV records, schema 1.x (https://ossf.github.io/osv-schema/).

#include <string_view>

#include "advisory/byte_source.hpp"
#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// A document with one record, or an array of records. Errors: not JSON.
Result<void> load_osv(ByteSource& source, bool is_array, Intake& intake);

/// One record. What it cannot use is counted in the intake; `where` names it there.
void load_osv_record(std::string_view text, std::string_view where, Intake& intake);

}  // namespace vmpatch::advisory
