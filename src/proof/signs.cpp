#include "proof/signs.hpp"

#include <algorithm>
#include <array>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {
namespace {

struct Word {
  std::string_view text;
  std::string_view means;
};

/// The whole line so far.
constexpr std::array<Word, 6> lost_prompts{{
    {"(initramfs) ", "its initramfs found no root file system"},
    {"grub rescue> ", "GRUB found neither its modules nor its configuration"},
    {"grub> ", "GRUB found no configuration that it could start"},
    {"Shell> ", "its firmware found nothing to start"},
    {"dracut:/# ", "its initramfs found no root file system"},
    {"Give root password for maintenance (or press Control-D to continue): ", "it is in emergency mode"},
}};

/// Anywhere in a line.
constexpr std::array<Word, 8> lost_lines{{
    {"Kernel panic - not syncing", "its kernel panicked"},
    {"No bootable device.", "its firmware found nothing to start"},
    {"No bootable option or device was found", "its firmware found nothing to start"},
    {"Entering emergency mode. Exit the shell to continue", "its initramfs found no root file system"},
    {"Generating \"/run/initramfs/rdsosreport.txt\"", "its initramfs found no root file system"},
    {"You are in emergency mode", "it is in emergency mode"},
    {"Cannot open access to console, the root account is locked", "it is in emergency mode"},
    {"Press Enter for maintenance", "it is in emergency mode"},
}};

constexpr std::array<std::string_view, 9> hints{{"error: file `", "you need to load the kernel first", "error: no such device", "error: unknown filesystem",
                                                 "Gave up waiting for root", "Timed out waiting for device", "Dependency failed for ",
                                                 "Access Denied", "bad shim signature"}};

/// agetty(8), busybox getty: the host's name, a blank, "login: ".
bool is_login(std::string_view line) {
  constexpr std::string_view end = "login: ";
  if (!line.ends_with(end)) return false;
  line.remove_suffix(end.size());
  if (line.empty()) return true;
  if (line.back() != ' ' || line.size() < 2) return false;
  line.remove_suffix(1);
  return line.size() <= 253 && std::ranges::all_of(line, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
         });
}

std::string quoted(std::string_view line) { return escape_untrusted(trim(line).substr(0, 160)); }

}  // namespace

Reading read_prompt(std::string_view line) {
  if (is_login(line)) return {Meaning::up, {}};
  for (const auto& [text, means] : lost_prompts) {
    if (line == text) return {Meaning::failed, fmt::format("{} ({})", means, trim(text))};
  }
  return {};
}

Reading read_line(std::string_view line) {
  for (const auto& [text, means] : lost_lines) {
    if (line.find(text) != std::string_view::npos) return {Meaning::failed, fmt::format("{} ({})", means, quoted(line))};
  }
  for (const auto text : hints) {
    if (line.find(text) != std::string_view::npos) return {Meaning::hint, quoted(line)};
  }
  return {};
}

}  // namespace vmpatch::proof
