#include <algorithm>

#include "policy/parse.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::policy {
namespace {

using recipe::YamlMapping;
using recipe::YamlNode;
using repository::Source;
using repository::Type;

constexpr std::size_t longest_word = 64;

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_large(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Lower case, beginning with a letter or a digit.
bool is_word(std::string_view text, std::string_view others) {
  return !text.empty() && text.size() <= longest_word && (is_small(text.front()) || is_digit(text.front())) &&
         std::ranges::all_of(text, [&](char c) { return is_small(c) || is_digit(c) || others.find(c) != std::string_view::npos; });
}

/// A suite or a component: words between single slashes.
bool is_place(std::string_view text) {
  return std::ranges::all_of(split(text, '/'), [](std::string_view part) {
    return !part.empty() && part.front() != '.' && std::ranges::all_of(part, [](char c) {
      return is_small(c) || is_large(c) || is_digit(c) || std::string_view("._+~-").find(c) != std::string_view::npos;
    });
  });
}

Result<std::string> parse_suite(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  if (text.ends_with('/') || text == ".") {
    return node.error(fmt::format("'{}' is the folder of a flat repository, which has no suites and components; only those with them are read: name a suite, as bookworm, or ask for a "
                                  "mirror that has some",
                                  escape_untrusted(text)));
  }
  if (!is_place(text)) return node.error(fmt::format("'{}' is no suite; write it as in the distribution's sources, as bookworm or bookworm/updates", escape_untrusted(text)));
  return text;
}

Result<std::string> parse_component(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  if (!is_place(text)) return node.error(fmt::format("'{}' is no component; write it as in the distribution's sources, as main", escape_untrusted(text)));
  return text;
}

Result<std::string> parse_architecture(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  if (!is_word(text, "_-")) return node.error(fmt::format("'{}' is no architecture; write the distribution's word, as amd64 or x86_64", escape_untrusted(text)));
  return text;
}

Result<std::string> parse_version(const YamlNode& node) {
  VMPATCH_TRY(std::string text, node.text());
  if (!is_word(text, "._-")) return node.error(fmt::format("'{}' is no version; write the VERSION_ID of os-release, as \"12\"", escape_untrusted(text)));
  return text;
}

/// A list that says something, and nothing twice.
template <class T>
Result<std::vector<T>> parse_list(const YamlNode& node, Result<T> (*parse)(const YamlNode&)) {
  VMPATCH_TRY(const auto items, node.items());
  if (items.empty()) return node.error("this list is empty; name at least one, or remove the line");
  std::vector<T> values;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(T value, parse(item));
    if (std::ranges::find(values, value) != values.end()) return item.error("this is named twice; remove one of them");
    values.push_back(std::move(value));
  }
  return values;
}

Result<Type> parse_type(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  if (text == "apt") return Type::apt;
  if (text == "rpmmd") return Type::rpmmd;
  return node.error(fmt::format("'{}' is neither apt nor rpmmd", escape_untrusted(text)));
}

Result<void> parse_for(YamlMapping& map, Source& source) {
  VMPATCH_TRY(const YamlNode node, map.require("for"));
  VMPATCH_TRY(YamlMapping guests, YamlMapping::of(node));
  VMPATCH_TRY(const YamlNode os, guests.require("os"));
  VMPATCH_TRY(source.os_id, os.text());
  if (!is_word(source.os_id, "._-")) return os.error(fmt::format("'{}' is no system; write the ID of os-release, as debian", escape_untrusted(source.os_id)));
  if (const auto versions = guests.find("versions")) {
    VMPATCH_TRY(source.versions, parse_list(*versions, parse_version));
  }
  return guests.finish();
}

/// Both types have different ones.
Result<void> parse_parts(YamlMapping& map, Source& source) {
  const auto suites = map.find("suites");
  const auto components = map.find("components");
  if (source.type == Type::rpmmd) {
    for (const auto& wrong : {suites, components}) {
      if (wrong) return wrong->error("suites and components are of type apt; a repository of type rpmmd is the folder that holds repodata: name it under uris");
    }
  } else if (!suites || !components) {
    return map.node().error(fmt::format("a repository of type apt needs {}", suites ? "components, as [main]" : "suites, as [bookworm]"));
  } else {
    VMPATCH_TRY(source.suites, parse_list(*suites, parse_suite));
    VMPATCH_TRY(source.components, parse_list(*components, parse_component));
  }
  source.architectures = {source.type == Type::apt ? "amd64" : "x86_64"};
  if (const auto architectures = map.find("architectures")) {
    VMPATCH_TRY(source.architectures, parse_list(*architectures, parse_architecture));
  }
  return {};
}

Result<void> parse_trust(YamlMapping& map, Source& source) {
  const auto keys = map.find("signed_by");
  if (!keys) return map.node().error("a repository needs signed_by: the files with the OpenPGP keys that sign it, as [/usr/share/keyrings/debian-archive-keyring.gpg]");
  VMPATCH_TRY(const auto items, keys->items());
  if (items.empty()) return keys->error("nothing that is not signed is read; name a file with the repository's OpenPGP key");
  VMPATCH_TRY(source.signed_by, parse_list(*keys, parse_path));
  return {};
}

Result<repository::Pin> parse_snapshot(const YamlNode& node) {
  constexpr std::string_view prefix = "sha256:";
  constexpr std::size_t date_size = 10;
  VMPATCH_TRY(const std::string text, node.text());
  if (text.starts_with(prefix)) {
    if (const auto digest = Digest::parse(std::string_view(text).substr(prefix.size()))) return *digest;
  } else if (const auto day = parse_time(text); day && text.size() == date_size) {
    return *day + std::chrono::days(1);
  }
  return node.error(fmt::format("'{}' is no snapshot; write a date, as 2026-11-01, or sha256: and 64 hex digits", escape_untrusted(text)));
}

Result<void> parse_connection(YamlMapping& map, Source& source) {
  if (const auto proxy = map.find("proxy")) {
    VMPATCH_TRY(source.proxy, parse_proxy(*proxy));
  }
  const auto certificate = map.find("client_certificate");
  const auto key = map.find("client_key");
  if (certificate) {
    VMPATCH_TRY(source.client_certificate, parse_path(*certificate));
  }
  if (key) {
    VMPATCH_TRY(source.client_key, parse_path(*key));
  }
  if (certificate && !key) return certificate->error("a client_certificate needs its client_key; name both or none");
  if (key && !certificate) return key->error("a client_key needs its client_certificate; name both or none");
  if (const auto ca = map.find("ca")) {
    VMPATCH_TRY(source.ca, parse_path(*ca));
  }
  return {};
}

}  // namespace

Result<Source> parse_repository(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  Source source;
  VMPATCH_TRY(const YamlNode name, map.require("name"));
  VMPATCH_TRY(source.name, name.text());
  if (!is_word(source.name, ".+-")) {
    return name.error(fmt::format("'{}' is no name of a repository; write at most {} of a-z, 0-9, '.', '+' and '-', beginning with a letter or a digit",
                                  escape_untrusted(source.name), longest_word));
  }
  if (const auto type = map.find("type")) {
    VMPATCH_TRY(source.type, parse_type(*type));
  }
  VMPATCH_CHECK(parse_for(map, source));
  VMPATCH_TRY(const YamlNode uris, map.require("uris"));
  VMPATCH_TRY(source.uris, parse_list(uris, parse_repository_uri));
  VMPATCH_CHECK(parse_parts(map, source));
  VMPATCH_CHECK(parse_trust(map, source));
  if (const auto security = map.find("security")) {
    VMPATCH_TRY(source.security, security->boolean());
  }
  if (const auto snapshot = map.find("snapshot")) {
    VMPATCH_TRY(source.snapshot, parse_snapshot(*snapshot));
  }
  VMPATCH_CHECK(parse_connection(map, source));
  if (const auto age = map.find("max_age")) {
    VMPATCH_TRY(source.max_age, age->duration());
  }
  VMPATCH_CHECK(map.finish());
  return source;
}

}  // namespace vmpatch::policy
