#pragma once
// The version orders that no library of ours knows; see vmpatch/guest/versions.hpp for the others.

#include <string_view>

namespace vmpatch::guest {

/// <0, 0, >0. apk-package(5), "version": number{.number}…{letter}{_suffix{number}}…{~hash}{-r number}. What does not follow
/// this grammar ends there and is lower than what does.
[[nodiscard]] int compare_apk_versions(std::string_view a, std::string_view b);

/// <0, 0, >0. vercmp(8), alpm-pkgver(7): epoch:version-release; a release counts only where both have one.
[[nodiscard]] int compare_alpm_versions(std::string_view a, std::string_view b);

/// Digits as a number of any length: leading zeros do not count.
[[nodiscard]] int compare_numbers(std::string_view a, std::string_view b);

/// The digits that `text` begins with, taken off it.
[[nodiscard]] std::string_view take_digits(std::string_view& text);

}  // namespace vmpatch::guest
