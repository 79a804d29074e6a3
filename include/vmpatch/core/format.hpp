#pragma once
// fmt in one place, with an Error maker.

#include <fmt/format.h>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// fail(Errc::refused, "machine {} is {}; shut it down first", name, state)
template <class... Args>
[[nodiscard]] Error fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace vmpatch
