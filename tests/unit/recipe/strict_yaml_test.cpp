#include "vmpatch/recipe/strict_yaml.hpp"

#include <gmock/gmock.h>

#include "recipe/yaml_text.hpp"

namespace vmpatch::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

void expect_refused(std::string_view text, std::string_view position, std::string_view part) {
  const auto node = parse_yaml(text, "F", Errc::untrusted);
  ASSERT_FALSE(node) << text;
  EXPECT_EQ(node.error().code, Errc::untrusted);
  EXPECT_THAT(node.error().message, StartsWith("F:" + std::string(position) + ": ")) << text;
  EXPECT_THAT(node.error().message, HasSubstr(std::string(part))) << text;
}

TEST(StrictYaml, nodes_know_their_kind_and_place) {
  const auto root = parse_yaml("a: 1\nb:\n  - x\n  - 'y z'\nc:\n", "F", Errc::usage);
  ASSERT_TRUE(root) << root.error().message;
  auto map = YamlMapping::of(*root);
  ASSERT_TRUE(map);
  EXPECT_EQ(*map->require("a")->integer(0, 9), 1);
  EXPECT_THAT(*map->require("b")->texts(), ElementsAre("x", "y z"));
  EXPECT_EQ((*map->require("b")->items())[1].where(), "F:4:5");
  EXPECT_EQ(map->require("c")->kind(), YamlNode::Kind::null);
  EXPECT_TRUE(map->finish());
  EXPECT_EQ(map->require("d").error().message, "F:1:1: key 'd' is missing; add it");
}

TEST(StrictYaml, empty_text_is_a_null_node) {
  for (const auto* text : {"", "\n", "# only a comment\n", "---\n"}) {
    const auto root = parse_yaml(text, "F", Errc::usage);
    ASSERT_TRUE(root) << text;
    EXPECT_EQ(root->kind(), YamlNode::Kind::null);
  }
}

TEST(StrictYaml, unknown_key_is_refused_with_its_place_and_the_known_ones) {
  const auto root = parse_yaml("a: 1\nbb: 2\n", "F", Errc::usage);
  auto map = YamlMapping::of(*root);
  static_cast<void>(map->find("a"));
  const auto finished = map->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Errc::usage);
  EXPECT_EQ(finished.error().message, "F:2:1: unknown key 'bb'; known here: a");
}

TEST(StrictYaml, duplicate_key_is_refused) {
  expect_refused("a: 1\nb: 2\na: 3\n", "3:1", "duplicate key 'a'");
  expect_refused("a: {x: 1, x: 2}\n", "1:11", "duplicate key 'x'");
  expect_refused("a: 1\n\"a\": 3\n", "2:1", "duplicate key 'a'");
}

TEST(StrictYaml, alias_and_anchor_are_refused) {
  expect_refused("a: &x 1\n", "1:4", "anchors");
  expect_refused("&x a: 1\n", "1:1", "anchors");
  expect_refused("a: &x [1]\n", "1:4", "anchors");
  expect_refused("a: &x {b: 1}\n", "1:4", "anchors");
  expect_refused("a: &x\n", "1:4", "anchors");
  expect_refused("a: *x\n", "1:4", "aliases (*) are not allowed; write the value out");
}

TEST(StrictYaml, tags_are_refused) {
  expect_refused("a: !!str 1\n", "1:4", "tags");
  expect_refused("a: !x 1\n", "1:4", "tags");
  expect_refused("a: ! 1\n", "1:4", "tags");
  expect_refused("a: !<tag:x> 1\n", "1:4", "tags");
  expect_refused("a: !!map {b: 1}\n", "1:4", "tags");
  expect_refused("a: !!seq [1]\n", "1:4", "tags");
  expect_refused("a: !!null\n", "1:4", "tags");
  expect_refused("!!str a: 1\n", "1:1", "tags");
  expect_refused("--- !!map\na: 1\n", "1:5", "tags");
}

TEST(StrictYaml, quoted_text_that_looks_like_a_property_is_text) {
  const auto root = parse_yaml("a: \"!x\"\nb: '&y'\nc: '<<'\n", "F", Errc::usage);
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(*YamlMapping::of(*root)->require("a")->text(), "!x");
}

TEST(StrictYaml, merge_key_is_refused) { expect_refused("a:\n  <<: {b: 1}\n", "2:3", "merge keys"); }

TEST(StrictYaml, second_document_is_refused) {
  expect_refused("a: 1\n---\nb: 2\n", "2:1", "only one YAML document");
  expect_refused("a: 1\n...\n---\nb: 2\n", "3:1", "only one YAML document");
}

TEST(StrictYaml, directives_are_refused) {
  expect_refused("%YAML 1.2\n---\na: 1\n", "1:1", "directives");
  expect_refused("# c\n%TAG ! tag:x,2000:\n---\na: 1\n", "2:1", "directives");
}

TEST(StrictYaml, keys_that_are_no_texts_are_refused) {
  expect_refused("? [a]\n: 1\n", "1:3", "a key must be");
  expect_refused("{a: 1}: 1\n", "1:1", "a key must be");
  expect_refused("~: 1\n", "1:1", "a key must be");
}

TEST(StrictYaml, damaged_text_is_refused_with_its_place) {
  expect_refused("a: [1, 2\nb: 3\n", "2:2", "not valid YAML");
  expect_refused("a: 1\n b: 2\n", "2:3", "not valid YAML");
  expect_refused("a: \"\\xZZ\"\n", "1:9", "not valid YAML");
  expect_refused("ok: 1\na: \xff\n", "2:4", "UTF-8");
  expect_refused("a: \xc0\xaf\n", "1:4", "UTF-8");
  expect_refused("a: \xed\xa0\x80\n", "1:4", "UTF-8");
  expect_refused(
      "\xef\xbb\xbf"
      "a: 1\n",
      "1:1", "U+FEFF");
  expect_refused(std::string_view("a: 1\n\0b: 2\n", 11), "2:1", "U+0000");
  expect_refused("a: \x1b[31m\n", "1:4", "U+001B");
}

TEST(StrictYaml, escapes_never_give_invalid_utf8) {
  expect_refused("a: \"\\N\"\n", "1:4", "invalid UTF-8");
  expect_refused("a: \"\\_\"\n", "1:4", "invalid UTF-8");
  const auto root = parse_yaml("a: \"\\x85\"\n", "F", Errc::usage);
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(*YamlMapping::of(*root)->require("a")->text(), "\xc2\x85");
}

TEST(StrictYaml, depth_and_size_are_bounded) {
  const std::string good = std::string(32, '[') + std::string(32, ']');
  EXPECT_TRUE(parse_yaml(good, "F", Errc::usage));
  expect_refused("[" + good + "]", "1:33", "deeper than 32");
  for (const auto* opening : {"[", "{", "- ", "? "}) {
    std::string deep;
    while (deep.size() < 100'000) deep += opening;
    EXPECT_FALSE(parse_yaml(deep, "F", Errc::usage)) << opening;
  }
  expect_refused("a: " + std::string(4U << 20U, 'x'), "1:1", "4 MiB");
}

TEST(StrictYaml, values_are_read_strictly) {
  const auto root = parse_yaml(
      "[1, '1', 007, 0x1, -5, 99999999999999999999, true, yes, 'true', 2026-11-01, 90s, x, [], ~]", "F", Errc::usage);
  ASSERT_TRUE(root) << root.error().message;
  const auto items = *root->items();
  EXPECT_EQ(*items[0].integer(1, 1), 1);
  for (const std::size_t i : {1U, 2U, 3U, 5U, 11U, 12U, 13U}) EXPECT_FALSE(items[i].integer(-9, 9999)) << i;
  EXPECT_EQ(*items[4].integer(-5, 0), -5);
  EXPECT_FALSE(items[4].integer(0, 5));
  EXPECT_TRUE(*items[6].boolean());
  for (const std::size_t i : {0U, 7U, 8U, 13U}) EXPECT_FALSE(items[i].boolean()) << i;
  EXPECT_EQ(format_time(*items[9].time()), "2026-11-01T00:00:00Z");
  EXPECT_FALSE(items[11].time());
  EXPECT_EQ(items[10].duration()->count(), 90);
  EXPECT_FALSE(items[11].duration());
  EXPECT_FALSE(items[12].text());
  EXPECT_FALSE(items[13].text());
  EXPECT_FALSE(items[0].items());
}

TEST(YamlText, every_text_reads_back_as_written) {
  std::vector<std::string> texts = {"",
                                    "no",
                                    "True",
                                    "~",
                                    "null",
                                    "12",
                                    "1.5",
                                    "a: b",
                                    "#x",
                                    "x #y",
                                    "[a]",
                                    "{a}",
                                    "'q'",
                                    "\"q\"",
                                    "a\\b",
                                    "a\nb\n",
                                    " lead",
                                    "trail ",
                                    "- x",
                                    "*a",
                                    "&a",
                                    "!a",
                                    "<<",
                                    "\xc3\xa4",
                                    "\t",
                                    "\r\n",
                                    "/",
                                    "/etc/x",
                                    "-",
                                    "%a",
                                    "a,b",
                                    "\xef\xbb\xbf",
                                    "\xc2\x85",
                                    "a\x7f",
                                    std::string("a\0b", 3),
                                    "?",
                                    "x: ",
                                    "OpenSSL update"};
  for (int c = 1; c < 128; ++c) texts.push_back("a" + std::string(1, static_cast<char>(c)) + "b");
  for (const auto& text : texts) {
    for (const auto& written : {quote_yaml(text), yaml_scalar(text)}) {
      const auto root = parse_yaml("{k: " + written + "}\n", "F", Errc::usage);
      ASSERT_TRUE(root) << written << ": " << root.error().message;
      const auto value = YamlMapping::of(*root)->require("k")->text();
      ASSERT_TRUE(value) << written;
      EXPECT_EQ(*value, text) << written;
    }
  }
}

}  // namespace
}  // namespace vmpatch::recipe
