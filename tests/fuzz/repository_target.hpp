#pragma once
// What the fuzz targets of package repositories share.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// One line that can be shown.
inline void require_shown(std::string_view text) {
  require(std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }));
}

inline void require_error(const Error& error, Errc code) {
  require(error.code == code && !error.message.empty());
  require_shown(error.message);
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace vmpatch::repository::fuzz
