#include "cli/repository/apt_entry.hpp"

#include <algorithm>
#include <cctype>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using Lines = std::vector<std::string_view>;

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

void set_option(AptEntry& entry, std::string_view name, std::string_view value) {
  const std::string option = lower_case(name);
  if (option == "trusted") entry.trusted = lower_case(trim(value));
  if (option != "signed-by") return;
  entry.embedded_key = value.find("-----BEGIN") != std::string_view::npos;
  std::string words(value);
  std::ranges::replace_if(words, [](char c) { return c == ',' || c == '\n' || c == '\t'; }, ' ');
  for (const std::string_view word : split(words, ' ')) {
    if (!word.empty() && !entry.embedded_key) entry.signed_by.emplace_back(word);
  }
}

/// deb [option=value option=value] URI suite component …
AptEntry parse_line(std::string_view line) {
  AptEntry entry;
  const auto open = line.find('[');
  const auto close = line.find(']');
  // Brackets can be of an IPv6 address.
  if (open == std::string_view::npos || close == std::string_view::npos || close < open || line.substr(0, open).find(':') != std::string_view::npos) return entry;
  for (const std::string_view option : split(line.substr(open + 1, close - open - 1), ' ')) {
    const auto equals = option.find('=');
    if (equals != std::string_view::npos) set_option(entry, option.substr(0, equals), option.substr(equals + 1));
  }
  return entry;
}

/// Fields with continuation lines.
AptEntry parse_paragraph(const Lines& lines) {
  AptEntry entry;
  std::string_view name;
  std::string value;
  const auto finish = [&] {
    set_option(entry, name, value);
    value.clear();
  };
  for (const std::string_view line : lines) {
    if (line.front() == ' ' || line.front() == '\t') {
      value += '\n';
      value += trim(line);
      continue;
    }
    finish();
    const auto colon = std::min(line.find(':'), line.size());
    name = line.substr(0, colon);
    value = line.substr(std::min(colon + 1, line.size()));
  }
  finish();
  return entry;
}

/// Comments are no lines of a paragraph, and one that has no others is none.
std::vector<Lines> split_paragraphs(std::string_view text) {
  std::vector<Lines> paragraphs;
  bool inside = false;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with('#')) continue;
    if (trim(line).empty()) {
      inside = false;
      continue;
    }
    if (!inside) paragraphs.emplace_back();
    inside = true;
    paragraphs.back().push_back(line);
  }
  return paragraphs;
}

}  // namespace

Result<AptEntry> parse_apt_entry(std::string_view text, std::string_view file_name, unsigned number) {
  if (file_name.ends_with(".sources")) {
    const auto paragraphs = split_paragraphs(text);
    if (number >= 1 && number <= paragraphs.size()) return parse_paragraph(paragraphs[number - 1]);
  } else {
    const auto lines = split(text, '\n');
    if (number >= 1 && number <= lines.size()) return parse_line(lines[number - 1]);
  }
  return fail(Errc::failed, "{} has no entry {}: it has changed since apt read it; try again", escape_untrusted(file_name), number);
}

}  // namespace vmpatch::cli
