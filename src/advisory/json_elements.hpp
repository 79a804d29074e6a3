#pragma once
// Cuts a large JSON document into the values at one depth, while it is read: a feed of any size costs the memory of one record.

#include <functional>
#include <string>
#include <vector>

#include "advisory/byte_source.hpp"

namespace vmpatch::advisory {

/// Keys on the way to a value; an array's elements have the key "".
using JsonPath = std::vector<std::string>;

struct JsonElement {
  const JsonPath& path;
  std::string_view text;  ///< the value's bytes; to be parsed by the caller
  std::uint64_t offset;   ///< of its first byte
};

struct JsonElements {
  std::size_t depth = 1;  ///< 1: members of the outermost object or array
  std::size_t max_element = 16U << 20U;
  /// Asked once the path is known; what is not wanted is skipped without being kept. Empty = everything.
  std::function<bool(const JsonPath&)> wanted;
  /// An error ends the reading.
  std::function<Result<void>(const JsonElement&)> visit;
  /// A wanted value larger than max_element: what to do instead of failing. Empty = fail.
  std::function<void(const JsonPath&, std::uint64_t offset)> too_large;
  /// Told of a value at a smaller depth that is no object or array.
  std::function<void(const JsonPath&)> too_shallow;
};

/// Errc::failed with the byte offset for what is not JSON, ends early, nests deeper than 64 or has a key longer than 4 KiB. Only
/// the structure of skipped values is checked. Values at a smaller depth that are no object or array are skipped.
Result<void> each_json_element(ByteSource& source, const JsonElements& how);

/// The same for text in memory.
Result<void> each_json_element(std::string_view text, const JsonElements& how);

}  // namespace vmpatch::advisory
