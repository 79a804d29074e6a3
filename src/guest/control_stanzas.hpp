#pragma once
// Stanzas of "Field: value" lines with empty lines between them. Format: deb-control(5).

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest {

struct ControlStanza {
  std::size_t first_line = 0;                          ///< counted from 1
  std::vector<std::optional<std::string_view>> values;  ///< of the asked fields, in their order; views into the text
  [[nodiscard]] std::string_view value(std::size_t field) const { return values[field].value_or(std::string_view()); }
};

/// Calls `each` for every stanza. `fields` are lower case; names in the text ignore case; of a value the first line counts,
/// at most max_package_field bytes. A malformed line, a field that comes twice, or what `each` says is failed with the line number.
Result<void> for_each_stanza(std::string_view text, std::span<const std::string_view> fields,
                             const std::function<Result<void>(const ControlStanza&)>& each);

/// Same text, capital letters of ASCII ignored.
[[nodiscard]] bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

}  // namespace vmpatch::guest
