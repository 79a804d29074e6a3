#pragma once
// Kernels of a guest, with what belongs to them.

#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// Of /boot, by version: files like vmlinuz-VERSION; like vmlinuz-FLAVOUR (Alpine, Arch), whose version their package says; and
/// TOKEN/VERSION/linux of kernel-install. One whose version cannot be told is left out.
Result<std::vector<Kernel>> read_kernels(Guest& guest);

/// A name of that shape stands for a version: it begins with a digit.
[[nodiscard]] bool is_kernel_version(std::string_view text);

/// "6.1" of /boot/vmlinuz-6.1, "virt" of vmlinuz-virt; "" for what is not named like a kernel, and for what tools leave beside
/// kernels (.old, .gz, .hmac, .dpkg-new, …).
[[nodiscard]] std::string_view kernel_suffix(std::string_view path);

}  // namespace vmpatch::guest
