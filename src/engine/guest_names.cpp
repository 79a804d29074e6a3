#include "engine/guest_names.hpp"

#include <charconv>
#include <optional>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::uint32_t> find_in(guest::Guest& guest, const std::string& table, const std::string& name) {
  if (const auto number = parse_number(name)) return *number;
  VMPATCH_TRY(const auto text, guest.read(table, 4U << 20U));
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 3 || fields[0] != name) continue;
    if (const auto number = parse_number(fields[2])) return *number;
  }
  return fail(Errc::failed, "{} of the guest has no entry '{}'", table, name);
}

}  // namespace

Result<std::uint32_t> find_user(guest::Guest& guest, const std::string& name_or_number) {
  return find_in(guest, "/etc/passwd", name_or_number);
}

Result<std::uint32_t> find_group(guest::Guest& guest, const std::string& name_or_number) {
  return find_in(guest, "/etc/group", name_or_number);
}

}  // namespace vmpatch::engine
