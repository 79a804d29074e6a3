#include <gtest/gtest.h>

#include "vmpatch/policy/policy.hpp"

namespace vmpatch::policy {
namespace {

constexpr std::string_view full = R"(schema: vm-patch/config/v1
state_dir: /srv/state
connect: [qemu:///system, "qemu+ssh://a/system"]
allow_backing: [/srv/images]
not_clones: [/srv/images/web.img]
templates: ["tmpl-*"]
attestation_key: /srv/key
jobs: 4
space_reserve: 512MiB
undo_keep: 2d
boot_proof: kernel
boot_timeout: 10m
feeds: ["osv=https://example.org/all.zip", /srv/kev.json]
feed_max_age: 12h
audit: {anchor: /srv/worm/heads, syslog: false, command: [/usr/local/sbin/tell, "--host", a]}
groups:
  - name: web
    match: {names: ["web*"], uuids: [AABBCCDD-0000-4000-8000-000000000001], metadata_groups: [web]}
    baseline: {attested: true, max_age: 30d, recipes: {debian-12-openssl: 3}}
    on_error: open
    refresh: {mode: all, exclude: ["linux-*"], halt_after: 3}
    action: warn
    boot_proof: always
    boot_timeout: 90s
  - name: rest
    match: {names: ["*"]}
)";

TEST(ParsePolicy, every_key_is_read) {
  const auto policy = parse_policy(full, "vm-patch.yaml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->state_dir, "/srv/state");
  EXPECT_EQ(policy->connect, (std::vector<std::string>{"qemu:///system", "qemu+ssh://a/system"}));
  EXPECT_EQ(policy->allow_backing.at(0), "/srv/images");
  EXPECT_EQ(policy->not_clones.at(0), "/srv/images/web.img");
  EXPECT_EQ(policy->templates.at(0), "tmpl-*");
  EXPECT_EQ(policy->attestation_key, "/srv/key");
  EXPECT_EQ(policy->jobs, 4U);
  EXPECT_EQ(policy->space_reserve, 512ULL << 20U);
  EXPECT_EQ(policy->undo_keep, Seconds(2 * 86400));
  EXPECT_EQ(policy->feeds, (std::vector<std::string>{"osv=https://example.org/all.zip", "/srv/kev.json"}));
  EXPECT_EQ(policy->feed_max_age, Seconds(12 * 3600));
  EXPECT_EQ(policy->audit.anchor, "/srv/worm/heads");
  EXPECT_FALSE(policy->audit.syslog);
  EXPECT_EQ(policy->audit.command, (std::vector<std::string>{"/usr/local/sbin/tell", "--host", "a"}));
  ASSERT_EQ(policy->groups.size(), 2U);
  const Group& web = policy->groups[0];
  EXPECT_EQ(web.uuids.at(0), "aabbccdd-0000-4000-8000-000000000001");
  EXPECT_TRUE(web.baseline.attested);
  EXPECT_EQ(web.baseline.max_age, Seconds(30 * 86400));
  EXPECT_EQ(web.baseline.recipes.at("debian-12-openssl"), 3U);
  EXPECT_FALSE(web.closed_on_error);
  EXPECT_EQ(web.refresh.mode, repository::Mode::all);
  EXPECT_EQ(web.refresh.exclude, std::vector<std::string>{"linux-*"});
  EXPECT_EQ(web.refresh.halt_after, 3U);
  EXPECT_FALSE(web.refresh.never);
  EXPECT_FALSE(web.deny);
  EXPECT_EQ(policy->boot.proof, BootProof::kernel);
  EXPECT_EQ(policy->boot.timeout, Seconds(600));
  EXPECT_EQ(web.boot.proof, BootProof::always);
  EXPECT_EQ(web.boot.timeout, Seconds(90));
  EXPECT_EQ(policy->groups[1].boot.proof, std::nullopt);
  EXPECT_TRUE(policy->groups[1].baseline.empty());
  EXPECT_TRUE(policy->groups[1].closed_on_error);
  EXPECT_TRUE(policy->groups[1].deny);
}

TEST(ParsePolicy, empty_text_and_empty_path_give_the_defaults) {
  for (const auto& policy : {parse_policy("", "x"), parse_policy("# nothing\n", "x"), load_policy({})}) {
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->jobs, 2U);
    EXPECT_EQ(policy->space_reserve, 1ULL << 30U);
    EXPECT_TRUE(policy->groups.empty());
    EXPECT_EQ(policy->boot.proof, std::nullopt);
    EXPECT_TRUE(policy->feeds.empty());
    EXPECT_EQ(policy->feed_max_age, Seconds(86400));
    EXPECT_FALSE(policy->audit.anchor);
    EXPECT_TRUE(policy->audit.syslog);
    EXPECT_TRUE(policy->audit.command.empty());
  }
}

TEST(ParsePolicy, named_file_that_is_missing_is_an_error) {
  const auto policy = load_policy("/nonexistent/vm-patch.yaml");
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Errc::usage);
}

struct Bad {
  const char* text;
  const char* position;
  const char* words;
};

TEST(ParsePolicy, every_mistake_is_a_usage_error_with_its_place) {
  const std::string head = "schema: vm-patch/config/v1\n";
  const std::vector<Bad> cases{
      {"jobs: 0\n", "f:2:7", ""},
      {"jobs: 65\n", "f:2:7", ""},
      {"jobs: two\n", "f:2:7", ""},
      {"jbos: 2\n", "f:2:1", "jbos"},
      {"jobs: 1\njobs: 2\n", "f:3:1", "jobs"},
      {"state_dir: var/lib\n", "f:2:12", "absolute"},
      {"allow_backing: [/a, b]\n", "f:2:21", "absolute"},
      {"not_clones: [web.img]\n", "f:2:14", "absolute"},
      {"space_reserve: 1GB\n", "f:2:16", "size"},
      {"space_reserve: -1\n", "f:2:16", "size"},
      {"space_reserve: 99999999999TiB\n", "f:2:16", "size"},
      {"undo_keep: 7\n", "f:2:12", ""},
      {"audit: yes\n", "f:2:8", ""},
      {"audit: {anchor: heads}\n", "f:2:17", "is not an absolute path"},
      {"audit: {syslog: maybe}\n", "f:2:17", ""},
      {"audit: {command: []}\n", "f:2:18", "needs a program"},
      {"audit: {command: [tell]}\n", "f:2:18", "is not an absolute path"},
      {"audit: {mail: root}\n", "f:2:9", "unknown key 'mail'"},
      {"boot_proof: true\n", "f:2:13", "neither never, kernel nor always"},
      {"boot_proof: Always\n", "f:2:13", "neither never, kernel nor always"},
      {"boot_timeout: 9s\n", "f:2:15", "from 10 s to 1 h"},
      {"boot_timeout: 61m\n", "f:2:15", "from 10 s to 1 h"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    boot_proof: no\n", "f:5:17", "neither never"},
      {"feeds: /srv/kev.json\n", "f:2:8", ""},
      {"feeds: [kev.json]\n", "f:2:9", "is no feed"},
      {"feeds: [osv=kev.json]\n", "f:2:9", "is no feed"},
      {"feeds: [\"ftp://example.org/kev.json\"]\n", "f:2:9", "is no feed"},
      {"feeds: [\"\"]\n", "f:2:9", "is no feed"},
      {"feed_max_age: 1\n", "f:2:15", ""},
      {"groups: web\n", "f:2:9", ""},
      {"groups:\n  - match: {names: [a]}\n", "f:3:5", "name"},
      {"groups:\n  - name: a\n", "f:3:5", "match"},
      {"groups:\n  - name: a\n    match: {}\n", "f:4:12", "no machine"},
      {"groups:\n  - name: a\n    match: {names: [\"\"]}\n", "f:4:21", "empty"},
      {"groups:\n  - name: a\n    match: {uuids: [x]}\n", "f:4:21", "UUID"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    on_error: shut\n", "f:5:15", "closed"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    refresh: {mode: some}\n", "f:5:21", "none of security, all and never"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    refresh: {halt_after: 0}\n", "f:5:27", ""},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    refresh: {when: never}\n", "f:5:15", "when"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    action: log\n", "f:5:13", "warn"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    baseline: {proof: booted}\n", "f:5:23", "delivered"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    baseline: {recipes: {r: 0}}\n", "f:5:29", ""},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    baseline: {recipe: {r: 1}}\n", "f:5:16", "recipe"},
      {"groups:\n  - name: a\n    match: {names: [x]}\n    baseline: {max_age: 0d}\n", "f:5:25", ""},
      {"groups:\n  - {name: a, match: {names: [x]}}\n  - {name: a, match: {names: [y]}}\n", "f:4:5", "two groups"},
  };
  for (const Bad& bad : cases) {
    const auto policy = parse_policy(head + bad.text, "f");
    ASSERT_FALSE(policy) << bad.text;
    EXPECT_EQ(policy.error().code, Errc::usage) << bad.text;
    EXPECT_EQ(policy.error().message.rfind(bad.position, 0), 0U) << bad.text << policy.error().message;
    EXPECT_NE(policy.error().message.find(bad.words), std::string::npos) << policy.error().message;
  }
}

TEST(ParsePolicy, schema_is_required_and_compared) {
  EXPECT_FALSE(parse_policy("jobs: 2\n", "f"));
  const auto other = parse_policy("schema: vm-patch/config/v2\n", "f");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("vm-patch/config/v1"), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::policy
