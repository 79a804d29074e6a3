#include "recipe/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z'); }

bool is_made_of(std::string_view text, bool (*basic)(char), std::string_view more) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return basic(c) || more.find(c) != std::string_view::npos; });
}
bool is_lower_or_digit(char c) { return is_lower(c) || is_digit(c); }

constexpr std::array<std::pair<std::string_view, step::UnitState>, 4> unit_states = {
    {{"enabled", step::UnitState::enabled},
     {"disabled", step::UnitState::disabled},
     {"masked", step::UnitState::masked},
     {"unmasked", step::UnitState::unmasked}}};

constexpr std::array<std::string_view, 10> unit_suffixes = {".service", ".socket",    ".timer", ".path",  ".mount",
                                                            ".target",  ".automount", ".swap",  ".slice", ".device"};

}  // namespace

bool is_recipe_id(std::string_view text) {
  return text.size() >= 2 && text.size() <= 128 && is_lower_or_digit(text[0]) &&
         is_made_of(text, is_lower_or_digit, ".+-");
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 256 && is_alnum(text[0]) && is_made_of(text, is_alnum, ".+~:^_-");
}

bool is_package_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && is_alnum(text[0]) && is_made_of(text, is_alnum, ".+_-");
}

bool is_payload_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 && is_alnum(text[0]) && is_made_of(text, is_alnum, ".+_~:%=@-");
}

bool is_fix_id(std::string_view text) {
  const auto dash = text.find('-');
  return text.size() <= 64 && dash != std::string_view::npos && dash > 0 && dash + 1 < text.size() && text[0] >= 'A' &&
         text[0] <= 'Z' && is_made_of(text, is_alnum, ".:-");
}

bool is_absolute_normal(std::string_view path) {
  if (path.size() < 2 || path.size() > 4096 || path[0] != '/' || path.back() == '/') return false;
  if (!is_one_line(path, 4096)) return false;
  const auto parts = split(path.substr(1), '/');
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return !part.empty() && part != "." && part != ".." && part.size() <= 255;
  });
}

bool is_one_line(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

std::string_view to_string(step::UnitState state) {
  for (const auto& [name, value] : unit_states)
    if (value == state) return name;
  return "enabled";
}

std::string mode_text(unsigned mode) { return fmt::format("{:04o}", mode); }

Result<std::string> read_line(const YamlNode& node, std::size_t max) {
  VMPATCH_TRY(std::string text, node.text());
  if (!is_one_line(text, max))
    return node.error(fmt::format("one line of 1 to {} bytes without control characters was expected", max));
  return text;
}

Result<std::string> read_path(const YamlNode& node) {
  VMPATCH_TRY(std::string path, node.text());
  if (!is_absolute_normal(path))
    return node.error(
        fmt::format("path '{}' must be absolute and normal: no '//', '.', '..' or final '/'", escape_untrusted(path)));
  return path;
}

Result<std::string> read_folder(const YamlNode& node) {
  if (const auto text = node.text(); text && *text == "/") return std::string("/");
  return read_path(node);
}

Result<unsigned> read_mode(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  unsigned mode = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, mode, 8);
  if (text.size() < 3 || text.size() > 4 || problem != std::errc{} || stop != end || mode > 07777)
    return node.error(fmt::format("mode '{}' must be 3 or 4 octal digits, as \"0644\"", escape_untrusted(text)));
  return mode;
}

Result<std::string> read_account(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  const bool number = !text.empty() && text.size() <= 9 && std::all_of(text.begin(), text.end(), is_digit);
  const bool name =
      !text.empty() && text.size() <= 32 && !is_digit(text[0]) && text[0] != '-' && is_made_of(text, is_alnum, "._-");
  if (!number && !name)
    return node.error(fmt::format("'{}' is not the name or number of a user or group", escape_untrusted(text)));
  return text;
}

Result<std::string> read_unit(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  const bool suffix = std::any_of(unit_suffixes.begin(), unit_suffixes.end(), [&](std::string_view end) {
    return text.size() > end.size() && text.ends_with(end);
  });
  if (!suffix || text.size() > 255 || text[0] == '.' || text[0] == '-' || !is_made_of(text, is_alnum, ":_.\\@-"))
    return node.error(
        fmt::format("'{}' is not a systemd unit name with its suffix, as ssh.service", escape_untrusted(text)));
  return text;
}

Result<step::UnitState> read_unit_state(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  for (const auto& [name, value] : unit_states)
    if (name == text) return value;
  return node.error(
      fmt::format("state '{}' is not known; use enabled, disabled, masked or unmasked", escape_untrusted(text)));
}

Result<Digest> read_digest(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  const auto digest = Digest::parse(text);
  if (!digest || digest->hex() != text) return node.error("a sha256 of 64 lower-case hex digits was expected");
  return *digest;
}

Result<VersionBound> read_bound(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  auto bound = VersionBound::parse(text);
  if (!bound) return node.error(bound.error().message);
  return *bound;
}

}  // namespace vmpatch::recipe
