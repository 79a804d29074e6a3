#include "vmpatch/trust/fingerprint.hpp"

#include <algorithm>

namespace vmpatch::trust {

bool is_fingerprint(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

}  // namespace vmpatch::trust
