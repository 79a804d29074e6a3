#pragma once
// What indextargets does not tell of a source: sources.list(5), in both of its formats.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

struct AptEntry {
  std::vector<std::string> signed_by{};  ///< files, or fingerprints of keys
  bool embedded_key = false;             ///< Signed-By is the key itself
  std::string trusted{};                 ///< yes or no as written; empty = not said
};

/// Paragraph `number` of a .sources file, else line `number`, from 1. Errc::failed when there is none.
Result<AptEntry> parse_apt_entry(std::string_view text, std::string_view file_name, unsigned number);

}  // namespace vmpatch::cli
