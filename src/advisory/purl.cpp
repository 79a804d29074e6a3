#include "advisory/purl.hpp"

#include <algorithm>
#include <cctype>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t longest = 1024;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

int digit(char c) {
  const int value = std::isdigit(static_cast<unsigned char>(c)) != 0 ? c - '0' : std::tolower(static_cast<unsigned char>(c)) - 'a' + 10;
  return std::isxdigit(static_cast<unsigned char>(c)) != 0 ? value : -1;
}

std::string decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    result += coded ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  return result;
}

}  // namespace

Result<PackageUrl> parse_purl(std::string_view text) {
  const auto bad = [&] { return fail(Errc::failed, "'{}' is no package URL", escape_untrusted(text.substr(0, 120))); };
  std::string_view rest = text;
  if (rest.size() > longest || !rest.starts_with("pkg:")) return bad();
  rest.remove_prefix(4);
  rest = rest.substr(0, rest.find('#'));
  PackageUrl purl;
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    for (const auto field : split(rest.substr(mark + 1), '&')) {
      const auto equals = field.find('=');
      if (equals == std::string_view::npos || equals == 0) continue;
      purl.qualifiers.emplace(lower(field.substr(0, equals)), decode(field.substr(equals + 1)));
    }
    rest = rest.substr(0, mark);
  }
  while (rest.starts_with('/')) rest.remove_prefix(1);
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0) return bad();
  purl.type = lower(rest.substr(0, slash));
  rest.remove_prefix(slash + 1);
  // An "@" inside of the namespace or the name is written %40.
  if (const auto at = rest.rfind('@'); at != std::string_view::npos && at > 0) {
    purl.version = decode(rest.substr(at + 1));
    rest = rest.substr(0, at);
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto last = rest.rfind('/');
  purl.name = decode(last == std::string_view::npos ? rest : rest.substr(last + 1));
  if (last != std::string_view::npos) purl.name_space = decode(rest.substr(0, last));
  if (purl.name.empty()) return bad();
  return purl;
}

}  // namespace vmpatch::advisory
