#pragma once
// What was found in the records, for people and as JSON.

#include <string>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/ledger/integrity.hpp"

namespace vmpatch::cli {

[[nodiscard]] bool has_problems(const std::vector<ledger::Examined>& all);
/// Some lines; the problems themselves are not in them.
[[nodiscard]] std::string examined_text(const ledger::Examined& examined);
[[nodiscard]] Json examined_json(const ledger::Examined& examined);

}  // namespace vmpatch::cli
