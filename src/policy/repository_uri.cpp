// RFC 3986, as far as a repository needs it.

#include <algorithm>
#include <charconv>

#include "policy/parse.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::policy {
namespace {

using recipe::YamlNode;

constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool consists_of(std::string_view text, std::initializer_list<std::string_view> sets) {
  return std::ranges::all_of(
      text, [&](char c) { return std::ranges::any_of(sets, [c](std::string_view set) { return set.find(c) != std::string_view::npos; }); });
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && consists_of(text, {digits}) && port > 0 && port <= 65535;
}

/// HOST or HOST:PORT; a host is a name or an address, IPv6 in brackets.
bool is_host(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close < 3 || !consists_of(text.substr(1, close - 1), {hex_digits, ":."})) return false;
    end = close + 1;
  } else {
    end = std::min(text.find(':'), text.size());
    if (end == 0 || !consists_of(text.substr(0, end), {letters, digits, ".-_"})) return false;
  }
  return end == text.size() || (text[end] == ':' && is_port(text.substr(end + 1)));
}

/// Percent signs that are no %XX included.
bool has_foreign_characters(std::string_view text) {
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (text.size() - i < 3 || !consists_of(text.substr(i + 1, 2), {hex_digits})) return true;
  }
  return !consists_of(text, {letters, digits, "-._~:/?#[]@!$&'()*+,;=%"});
}

/// What follows "https://" or "http://"; nothing for another scheme.
std::optional<std::string_view> after_http(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (text.starts_with(scheme)) return text.substr(scheme.size());
  }
  return std::nullopt;
}

/// What no address may have, whatever it is of.
Result<void> check_characters(const YamlNode& node, std::string_view text) {
  const std::size_t start = text.find("//");
  const std::string_view authority = start == std::string_view::npos ? text : text.substr(start + 2);
  if (authority.substr(0, authority.find('/')).find('@') != std::string_view::npos) {
    return node.error(
        "an address holds no user name and no password, because everybody may read this file; use client_certificate and client_key, or a "
        "mirror that asks for none");
  }
  if (text.find_first_of("?#") != std::string_view::npos) return node.error("a '?' or '#' has no place in this address; remove it and what follows");
  if (has_foreign_characters(text)) return node.error("spaces, control characters and letters that URIs do not have are written as %XX");
  return {};
}

}  // namespace

Result<std::string> parse_repository_uri(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  VMPATCH_CHECK(check_characters(node, text));
  if (const auto rest = after_http(text)) {
    if (!is_host(rest->substr(0, rest->find('/')))) return node.error("there is no host in this address; write https://HOST/PATH or https://HOST:PORT/PATH");
  } else if (text.starts_with("file:/")) {
    std::string_view path = std::string_view(text).substr(5);
    if (path.starts_with("//") && !path.starts_with("///")) return node.error("file: names a folder of this computer by its absolute path; write file:///srv/mirror");
    path.remove_prefix(path.find_first_not_of('/') == std::string_view::npos ? path.size() - 1 : path.find_first_not_of('/') - 1);
    text = "file://" + std::string(path);
  } else {
    return node.error("a repository is read by https:, http: or file: only; write https://HOST/PATH, http://HOST/PATH or file:///PATH");
  }
  if (!text.ends_with('/')) text += '/';
  return text;
}

Result<std::string> parse_proxy(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  const auto rest = after_http(text);
  if (!rest || rest->find('@') != std::string_view::npos || !is_host(rest->ends_with('/') ? rest->substr(0, rest->size() - 1) : *rest)) {
    return node.error("a proxy is http://HOST:PORT or https://HOST:PORT, without user name and password; without the line it is as the environment says");
  }
  return text;
}

}  // namespace vmpatch::policy
