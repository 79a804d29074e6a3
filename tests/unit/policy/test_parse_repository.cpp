#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmpatch/policy/policy.hpp"

namespace vmpatch::policy {
namespace {

using repository::Source;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string head = "schema: vm-patch/config/v1\nrepositories:\n";

/// The only repository of a configuration that needs nothing but these lines besides.
Result<Source> parse_one(const std::string& lines) {
  VMPATCH_TRY(auto policy, parse_policy(head + lines, "f"));
  EXPECT_EQ(policy.repositories.size(), 1U);
  return policy.repositories.at(0);
}

/// Line 3 to 8, each with a good value that `key` can replace; an empty value leaves it out.
std::string with(const std::string& key, const std::string& value) {
  std::string text;
  bool found = false;
  for (const auto& [name, good] : {std::pair("name", "a"), std::pair("for", "{os: debian}"), std::pair("uris", "[\"https://example.org/debian\"]"),
                                   std::pair("suites", "[bookworm]"), std::pair("components", "[main]"), std::pair("signed_by", "[/k.gpg]")}) {
    found = found || key == name;
    const std::string shown = key == name ? value : good;
    text += (text.empty() ? "  - " : "    ") + (shown.empty() ? std::string("# ") + name : name + (": " + shown)) + "\n";
  }
  return found ? text : text + "    " + key + ": " + value + "\n";
}

TEST(ParseRepository, every_key_is_read) {
  const auto source = parse_one(R"(  - name: debian-12-security
    type: apt
    for: {os: debian, versions: ["12", "12.1"]}
    uris: ["https://mirror.example.org/debian-security", "http://[fd00::1]:8080/d/", "file:///srv/d"]
    suites: [bookworm-security, bookworm/updates]
    components: [main, non-free-firmware]
    architectures: [amd64, arm64]
    signed_by: [/usr/share/keyrings/a.gpg, /etc/apt/keyrings/b.asc]
    security: true
    snapshot: 2026-11-01
    proxy: http://proxy.example.org:3128
    client_certificate: /etc/vm-patch/client.pem
    client_key: /etc/vm-patch/client.key
    ca: /etc/vm-patch/ca.pem
    max_age: 10d
)");
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->name, "debian-12-security");
  EXPECT_EQ(source->type, repository::Type::apt);
  EXPECT_EQ(source->os_id, "debian");
  EXPECT_THAT(source->versions, ElementsAre("12", "12.1"));
  EXPECT_THAT(source->uris, ElementsAre("https://mirror.example.org/debian-security/", "http://[fd00::1]:8080/d/", "file:///srv/d/"));
  EXPECT_THAT(source->suites, ElementsAre("bookworm-security", "bookworm/updates"));
  EXPECT_THAT(source->components, ElementsAre("main", "non-free-firmware"));
  EXPECT_THAT(source->architectures, ElementsAre("amd64", "arm64"));
  EXPECT_THAT(source->signed_by, ElementsAre("/usr/share/keyrings/a.gpg", "/etc/apt/keyrings/b.asc"));
  EXPECT_TRUE(source->security);
  ASSERT_TRUE(source->snapshot);
  EXPECT_EQ(format_time(std::get<Time>(*source->snapshot)), "2026-11-02T00:00:00Z");
  EXPECT_EQ(source->proxy, "http://proxy.example.org:3128");
  EXPECT_EQ(source->client_certificate, "/etc/vm-patch/client.pem");
  EXPECT_EQ(source->client_key, "/etc/vm-patch/client.key");
  EXPECT_EQ(source->ca, "/etc/vm-patch/ca.pem");
  EXPECT_EQ(source->max_age, Seconds(10 * 86400));
}

TEST(ParseRepository, what_is_left_out_has_its_default) {
  const auto source = parse_one(with("name", "a"));
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->type, repository::Type::apt);
  EXPECT_THAT(source->versions, IsEmpty());
  EXPECT_THAT(source->architectures, ElementsAre("amd64"));
  EXPECT_FALSE(source->security);
  EXPECT_FALSE(source->snapshot);
  EXPECT_FALSE(source->max_age);
  EXPECT_EQ(source->proxy + source->client_certificate.string() + source->client_key.string() + source->ca.string(), "");
}

TEST(ParseRepository, rpm_repository_has_neither_suites_nor_components) {
  const auto source = parse_one("  - {name: rocky-9, type: rpmmd, for: {os: rocky}, uris: [\"https://example.org/9/BaseOS\"], signed_by: [/k]}\n");
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->type, repository::Type::rpmmd);
  EXPECT_THAT(source->suites, IsEmpty());
  EXPECT_THAT(source->architectures, ElementsAre("x86_64"));
}

TEST(ParseRepository, state_can_be_pinned_by_digest) {
  const std::string hex(64, 'a');
  const auto source = parse_one(with("snapshot", "sha256:" + hex));
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(std::get<Digest>(*source->snapshot).hex(), hex);
}

TEST(ParseRepository, addresses_get_one_form) {
  for (const auto& [written, read] : std::vector<std::pair<std::string, std::string>>{
           {"https://example.org", "https://example.org/"},
           {"http://10.0.0.1:80/a%20b", "http://10.0.0.1:80/a%20b/"},
           {"http://example.org/~a@b/", "http://example.org/~a@b/"},
           {"file:/srv/d/", "file:///srv/d/"},
           {"file:////srv/d", "file:///srv/d/"},
           {"file:///", "file:///"},
       }) {
    const auto source = parse_one(with("uris", "[\"" + written + "\"]"));
    ASSERT_TRUE(source) << written << source.error().message;
    EXPECT_THAT(source->uris, ElementsAre(read)) << written;
  }
}

struct Bad {
  const char* key;
  const char* value;
  const char* position;
  const char* words;
};

TEST(ParseRepository, every_mistake_is_a_usage_error_with_its_place_and_the_way_out) {
  const std::vector<Bad> cases{
      {"name", "", "f:4:5", "name"},
      {"name", "A", "f:3:11", "a-z, 0-9"},
      {"name", "-a", "f:3:11", "beginning with a letter"},
      {"name", "\"\"", "f:3:11", "no name"},
      {"name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "f:3:11", "at most 64"},
      {"type", "deb", "f:9:11", "neither apt nor rpmmd"},
      {"type", "rpmmd", "f:6:13", "name it under uris"},
      {"for", "", "f:3:5", "for"},
      {"for", "debian", "f:4:10", ""},
      {"for", "{versions: [\"12\"]}", "f:4:10", "os"},
      {"for", "{os: Debian 12}", "f:4:15", "ID of os-release"},
      {"for", "{os: debian, versions: []}", "f:4:33", "remove the line"},
      {"for", "{os: debian, versions: [\"1 2\"]}", "f:4:34", "VERSION_ID"},
      {"for", "{os: debian, version: [\"12\"]}", "f:4:23", "unknown key 'version'"},
      {"uris", "", "f:3:5", "uris"},
      {"uris", "[]", "f:5:11", "name at least one"},
      {"uris", "https://example.org", "f:5:11", ""},
      {"uris", "[\"https://a.b/\", \"https://a.b\"]", "f:5:28", "named twice"},
      {"uris", "[\"ftp://example.org/\"]", "f:5:12", "https:, http: or file: only"},
      {"uris", "[\"HTTP://example.org/\"]", "f:5:12", "https:, http: or file: only"},
      {"uris", "[/srv/mirror]", "f:5:12", "file:///PATH"},
      {"uris", "[\"https:///debian\"]", "f:5:12", "no host"},
      {"uris", "[\"https://a:b/\"]", "f:5:12", "https://HOST:PORT"},
      {"uris", "[\"https://a:0/\"]", "f:5:12", "https://HOST:PORT"},
      {"uris", "[\"https://a:65536/\"]", "f:5:12", "https://HOST:PORT"},
      {"uris", "[\"https://[::1/\"]", "f:5:12", "no host"},
      {"uris", "[\"https://[::1]a/\"]", "f:5:12", "no host"},
      {"uris", "[\"file://host/srv\"]", "f:5:12", "absolute path"},
      {"uris", "[\"file:srv\"]", "f:5:12", "file:///PATH"},
      {"uris", "[\"https://example.org/?a=b\"]", "f:5:12", "remove it"},
      {"uris", "[\"https://example.org/#a\"]", "f:5:12", "remove it"},
      {"uris", "[\"https://example.org/a b\"]", "f:5:12", "%XX"},
      {"uris", "[\"https://example.org/\\t\"]", "f:5:12", "%XX"},
      {"uris", "[\"https://example.org/\\x7f\"]", "f:5:12", "%XX"},
      {"uris", "[\"https://example.org/\xC3\xA4\"]", "f:5:12", "%XX"},
      {"uris", "[\"https://example.org/%4\"]", "f:5:12", "%XX"},
      {"uris", "[\"https://example.org/%4g\"]", "f:5:12", "%XX"},
      {"suites", "", "f:3:5", "suites, as [bookworm]"},
      {"suites", "[]", "f:6:13", "name at least one"},
      {"suites", "[./]", "f:6:14", "flat repository"},
      {"suites", "[/]", "f:6:14", "flat repository"},
      {"suites", "[\"bookworm/\"]", "f:6:14", "name a suite"},
      {"suites", "[\".\"]", "f:6:14", "flat repository"},
      {"suites", "[\"a//b\"]", "f:6:14", "no suite"},
      {"suites", "[\"../b\"]", "f:6:14", "no suite"},
      {"suites", "[\"a b\"]", "f:6:14", "no suite"},
      {"suites", "[a, a]", "f:6:17", "named twice"},
      {"components", "", "f:3:5", "components, as [main]"},
      {"components", "[main contrib]", "f:7:18", "no component"},
      {"architectures", "[]", "f:9:20", "name at least one"},
      {"architectures", "[AMD64]", "f:9:21", "the distribution's word"},
      {"signed_by", "", "f:3:5", "needs signed_by"},
      {"signed_by", "[]", "f:8:16", "name a file"},
      {"signed_by", "[k.gpg]", "f:8:17", "not an absolute path"},
      {"signed_by", "/k.gpg", "f:8:16", ""},
      {"security", "yes", "f:9:15", ""},
      {"snapshot", "yesterday", "f:9:15", "sha256:"},
      {"snapshot", "2026-11-01T00:00:00Z", "f:9:15", "write a date"},
      {"snapshot", "2026-02-30", "f:9:15", "write a date"},
      {"snapshot", "sha256:abc", "f:9:15", "64 hex digits"},
      {"proxy", "proxy:3128", "f:9:12", "http://HOST:PORT"},
      {"proxy", "http://proxy/path", "f:9:12", "http://HOST:PORT"},
      {"client_certificate", "/c.pem", "f:9:25", "both or none"},
      {"client_key", "/c.key", "f:9:17", "both or none"},
      {"ca", "ca.pem", "f:9:9", "not an absolute path"},
      {"max_age", "10", "f:9:14", ""},
      {"colour", "red", "f:9:5", "unknown key 'colour'"},
  };
  for (const Bad& bad : cases) {
    const auto policy = parse_policy(head + with(bad.key, bad.value), "f");
    ASSERT_FALSE(policy) << bad.key << ": " << bad.value;
    EXPECT_EQ(policy.error().code, Errc::usage) << bad.key << ": " << bad.value;
    EXPECT_THAT(policy.error().message, StartsWith(std::string(bad.position) + ": ")) << bad.key << ": " << bad.value;
    EXPECT_THAT(policy.error().message, HasSubstr(bad.words)) << bad.key << ": " << bad.value;
  }
}

TEST(ParseRepository, refused_password_is_not_repeated) {
  for (const auto& [key, value] : {std::pair("uris", "[\"https://user:secret@example.org/\"]"), std::pair("uris", "[\"https:user:secret@example.org/\"]"),
                                   std::pair("uris", "[\"ftp://secret@example.org/ \"]"), std::pair("uris", "[\"https://example.org/?token=secret\"]"),
                                   std::pair("proxy", "\"http://user:secret@example.org:3128\"")}) {
    const auto policy = parse_policy(head + with(key, value), "f");
    ASSERT_FALSE(policy) << value;
    EXPECT_THAT(policy.error().message, Not(HasSubstr("secret"))) << value;
  }
}

TEST(ParseRepository, names_are_unique) {
  const auto policy = parse_policy(head + with("name", "a") + with("name", "b") + with("name", "a"), "f");
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message, StartsWith("f:15:5: there are two repositories named 'a'"));
}

}  // namespace
}  // namespace vmpatch::policy
