// os-release(5) and fstab(5).
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t max_value = 1024;
constexpr std::size_t max_mounts = 1000;

/// A shell-compatible value: bare, '…' or "…" with backslash escapes.
std::string unquote(std::string_view text) {
  std::string value;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      value += text[++i];
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == ' ' || c == '\t' || c == '#')) {
      break;
    } else {
      value += c;
    }
  }
  return value;
}

/// \040 and friends, as getmntent(3) has them.
std::string decode_octal(std::string_view text) {
  std::string value;
  const auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '7'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3) && text[i + 1] <= '3') {
      value += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      value += text[i];
    }
  }
  return value;
}

/// "bookworm" from VERSION="12 (bookworm)", for releases without VERSION_CODENAME.
std::string codename_of(std::string_view version) {
  const auto open = version.find('(');
  const auto close = version.find(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return "";
  const std::string_view word = version.substr(open + 1, close - open - 1);
  return word.find(' ') == std::string_view::npos ? std::string(word) : "";
}

std::vector<std::string> fields(std::string_view line) {
  std::vector<std::string> found;
  while (true) {
    const auto start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) return found;
    line.remove_prefix(start);
    const auto end = line.find_first_of(" \t\r");
    found.push_back(decode_octal(line.substr(0, end)));
    if (end == std::string_view::npos) return found;
    line.remove_prefix(end);
  }
}

}  // namespace

Result<OsRelease> parse_os_release(std::string_view text) {
  OsRelease os;
  std::string version;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    const auto equals = line.find('=');
    // Readers must ignore lines that they do not understand: os-release(5).
    if (line.empty() || line.front() == '#' || equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals);
    std::string value = unquote(line.substr(equals + 1));
    if (value.size() > max_value) return fail(Errc::failed, "os-release line {}: value longer than {} bytes", number, max_value);
    if (name == "ID") os.id = std::move(value);
    else if (name == "ID_LIKE") os.id_like = std::move(value);
    else if (name == "VERSION_ID") os.version_id = std::move(value);
    else if (name == "PRETTY_NAME") os.pretty_name = std::move(value);
    else if (name == "VERSION_CODENAME") os.codename = std::move(value);
    else if (name == "VERSION") version = std::move(value);
  }
  if (os.id.empty()) os.id = "linux";
  if (os.pretty_name.empty()) os.pretty_name = "Linux";
  if (os.codename.empty()) os.codename = codename_of(version);
  return os;
}

Result<std::vector<MountEntry>> parse_fstab(std::string_view text) {
  std::vector<MountEntry> mounts;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const std::string_view trimmed = trim(line);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    auto found = fields(trimmed);
    if (found.size() < 2) return fail(Errc::failed, "fstab line {}: expected at least a device and a mount point", number);
    if (mounts.size() == max_mounts) return fail(Errc::failed, "fstab line {}: more than {} entries", number, max_mounts);
    MountEntry entry{std::move(found[0]), std::move(found[1]), "auto", "defaults"};
    if (found.size() > 2) entry.type = std::move(found[2]);
    if (found.size() > 3) entry.options = std::move(found[3]);
    for (const std::string* part : {&entry.what, &entry.where, &entry.type, &entry.options}) {
      if (part->size() > 4 * max_value || part->find('\0') != std::string::npos) {
        return fail(Errc::failed, "fstab line {}: a field is too long or holds a NUL byte", number);
      }
    }
    mounts.push_back(std::move(entry));
  }
  return mounts;
}

}  // namespace vmpatch::guest
