#include "repository/apt/answer_json.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"

namespace vmpatch::repository::apt {
namespace {

const std::string digest(64, 'a');

Json upgrade() {
  return Json{{"name", "libssl3"}, {"from", "3.0.15-1~deb12u1"}, {"essential", false}, {"arch", "amd64"}, {"to", "3.0.16-1~deb12u1"}, {"security", true},
              {"downgrade", false}, {"because", ""}, {"source", 1}, {"file", "pool/main/o/openssl/libssl3_3.0.16-1~deb12u1_amd64.deb"}, {"size", 2'029'264},
              {"sha256", digest}, {"installed_size", -4096}};
}
Json removal() { return Json{{"name", "old"}, {"from", "1:2+b1"}, {"essential", true}, {"arch", "all"}, {"to", ""}, {"because", "new"}}; }
Json package() { return Json{{"name", "own"}, {"arch", "amd64"}, {"version", "1.0"}}; }
Json kept() {
  Json row = package();
  row["candidate"] = "2.0";
  row["why"] = "held";
  row["security"] = true;
  return row;
}

Json answer() {
  return Json{{"schema", "vm-patch/apt-answer/v1"},
              {"changes", Json::array({removal(), upgrade()})},
              {"operations", Json::array({Json{{"do", "unpack"}, {"name", "libssl3"}, {"arch", "amd64"}}, Json{{"do", "configure"}, {"name", "libssl3"}, {"arch", "amd64"}},
                                          Json{{"do", "remove"}, {"name", "old"}, {"arch", "all"}}, Json{{"do", "purge"}, {"name", "old"}, {"arch", "all"}}})},
              {"kept", Json::array({kept()})},
              {"unknown", Json::array({package()})},
              {"unneeded", Json::array({package()})}};
}

std::string refusal(const std::string& text) {
  const auto parsed = parse_answer(text);
  if (parsed) return "it was accepted";
  EXPECT_EQ(parsed.error().code, Errc::failed);
  return parsed.error().message;
}
std::string refusal(const Json& json) { return refusal(dump_json(json)); }

/// The answer with one member of one row replaced.
Json with(const char* list, std::size_t row, const char* key, Json value) {
  Json json = answer();
  json[list][row][key] = std::move(value);
  return json;
}

constexpr std::size_t upgrade_row = 1;

TEST(AptAnswer, everything_is_read) {
  const auto parsed = parse_answer(dump_json(answer()));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const Update& update = parsed->update;
  ASSERT_EQ(update.changes.size(), 2U);
  const Change& removed = update.changes[0];
  EXPECT_EQ(removed.name, "old");
  EXPECT_EQ(removed.from, "1:2+b1");
  EXPECT_EQ(removed.to, "");
  EXPECT_EQ(removed.because, "new");
  EXPECT_TRUE(removed.essential);
  const Change& upgraded = update.changes[1];
  EXPECT_EQ(upgraded.arch, "amd64");
  EXPECT_EQ(upgraded.to, "3.0.16-1~deb12u1");
  EXPECT_TRUE(upgraded.security);
  EXPECT_EQ(upgraded.file, "pool/main/o/openssl/libssl3_3.0.16-1~deb12u1_amd64.deb");
  EXPECT_EQ(upgraded.size, 2'029'264U);
  EXPECT_EQ(upgraded.sha256.hex(), digest);
  EXPECT_EQ(upgraded.installed_size, -4096);
  EXPECT_EQ(parsed->sources, (std::vector<std::size_t>{0, 1}));
  ASSERT_EQ(update.operations.size(), 4U);
  EXPECT_EQ(to_string(update.operations[0].kind), "unpack");
  EXPECT_EQ(to_string(update.operations[3].kind), "purge");
  ASSERT_EQ(update.kept.size(), 1U);
  EXPECT_EQ(update.kept[0].candidate, "2.0");
  EXPECT_EQ(update.kept[0].why, "held");
  EXPECT_EQ(update.unknown, (std::vector<Installed>{{"own", "amd64", "1.0"}}));
  EXPECT_EQ(update.unneeded, update.unknown);
}

TEST(AptAnswer, what_is_no_answer_of_this_version_is_failed) {
  for (const std::string text : {"", "null", "[]", "{}", "1", "{\"schema\":\"vm-patch/apt-answer/v2\"}", "{\"schema\":1}", "E: broken\n", "{\"schema\":\"\xFF\"}"}) {
    EXPECT_NE(refusal(text), "it was accepted") << text;
  }
  const std::string whole = dump_json(answer());
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_NE(refusal(whole.substr(0, length)), "it was accepted") << length;
  EXPECT_NE(refusal(whole + "{}"), "it was accepted");
  EXPECT_NE(refusal(std::string(100'000, '[')), "it was accepted");
}

TEST(AptAnswer, every_member_is_needed) {
  const Json whole = answer();
  for (const auto& [key, value] : whole.items()) {
    Json without = whole;
    without.erase(key);
    EXPECT_NE(refusal(without), "it was accepted") << key;
    for (const Json& other : {Json(nullptr), Json(1), Json("x"), Json::object()}) {
      without[key] = other;
      EXPECT_NE(refusal(without), "it was accepted") << key << " = " << other;
    }
  }
  for (const char* list : {"changes", "operations", "kept", "unknown", "unneeded"}) {
    for (std::size_t row = 0; row < whole[list].size(); ++row) {
      for (const auto& [key, value] : whole[list][row].items()) {
        Json without = whole;
        without[list][row].erase(key);
        EXPECT_NE(refusal(without), "it was accepted") << list << " " << row << " " << key;
        for (const Json& other : {Json(nullptr), Json::array(), Json::object()}) EXPECT_NE(refusal(with(list, row, key.c_str(), other)), "it was accepted") << key;
      }
      Json other = answer();
      other[list][row] = "x";
      EXPECT_NE(refusal(other), "it was accepted") << list;
    }
  }
}

TEST(AptAnswer, names_and_versions_have_the_characters_of_debian_policy) {
  const std::vector<std::string> never{"a b", "a\nb", std::string("a\0b", 3), "a/b", "../a", "a\x1B[2J", "a;b", "$(a)", "a'b", "\u00E9", "a\\b", "-a", "--", std::string(1025, 'a')};
  for (const std::string& value : never) {
    for (const auto& [list, keys] : std::vector<std::pair<const char*, std::vector<const char*>>>{
             {"changes", {"name", "arch", "because"}}, {"operations", {"name", "arch"}}, {"kept", {"name", "arch"}}, {"unknown", {"name", "arch"}},
             {"unneeded", {"name", "arch"}}}) {
      for (const char* key : keys) EXPECT_NE(refusal(with(list, 0, key, value)), "it was accepted") << list << " " << key << " " << value;
    }
    if (value.front() == '-') continue;
    for (const char* key : {"from", "to"}) EXPECT_NE(refusal(with("changes", upgrade_row, key, value)), "it was accepted") << key << " " << value;
    for (const char* key : {"version", "candidate"}) EXPECT_NE(refusal(with("kept", 0, key, value)), "it was accepted") << key << " " << value;
  }
  EXPECT_EQ(refusal(with("changes", 0, "name", "a\x1B b")), "'a\\x1B b' is no name");
  for (const char* key : {"name", "arch"}) EXPECT_NE(refusal(with("changes", 0, key, "")), "it was accepted") << key;
  EXPECT_NE(refusal(with("unknown", 0, "version", "")), "it was accepted");
  EXPECT_EQ(refusal(with("changes", 0, "name", "libstdc++6")), "it was accepted");
  EXPECT_EQ(refusal(with("changes", 0, "name", std::string(1024, 'a'))), "it was accepted");
  EXPECT_EQ(refusal(with("changes", 0, "from", "2:1.0~rc1+dfsg-1ubuntu1.2")), "it was accepted");
}

TEST(AptAnswer, file_is_a_path_below_the_repository) {
  for (const std::string& file : std::vector<std::string>{"", "/etc/passwd", "..", "../a.deb", "pool/../../a.deb", "pool//a.deb", "pool/", "pool/a b.deb",
                                                          "pool/a\n.deb", "http:\\a", "pool/a?b", "pool/a#b", std::string("pool/a\0.deb", 11),
                                                          "pool/" + std::string(1024, 'a'), "pool/\u00E9"}) {
    EXPECT_NE(refusal(with("changes", upgrade_row, "file", file)), "it was accepted") << file;
  }
  for (const char* file : {"a.deb", "pool/main/liba/a_1%3a2~b+c=d,e@f_amd64.deb", "./pool/a.deb", "..a/b.."}) {
    EXPECT_EQ(refusal(with("changes", upgrade_row, "file", file)), "it was accepted") << file;
  }
}

TEST(AptAnswer, numbers_are_whole_and_bounded_and_never_converted) {
  constexpr std::uint64_t tebibyte = std::uint64_t{1} << 40U;
  const std::vector<Json> never{-1, 1.5, 1e3, "1", true, tebibyte + 1, UINT64_MAX, INT64_MIN};
  for (const char* key : {"source", "size"}) {
    for (const Json& value : never) EXPECT_NE(refusal(with("changes", upgrade_row, key, value)), "it was accepted") << key << " " << value;
    EXPECT_EQ(refusal(with("changes", upgrade_row, key, tebibyte)), "it was accepted");
    EXPECT_EQ(refusal(with("changes", upgrade_row, key, 0)), "it was accepted");
  }
  for (const Json& value : never) {
    const bool is_small = value.dump() == "-1";
    EXPECT_EQ(refusal(with("changes", upgrade_row, "installed_size", value)) == "it was accepted", is_small) << value;
  }
  EXPECT_NE(refusal(with("changes", upgrade_row, "installed_size", -static_cast<std::int64_t>(tebibyte) - 1)), "it was accepted");
  std::string huge = dump_json(answer());
  huge.replace(huge.find("2029264"), 7, "18446744073709551616");
  EXPECT_NE(refusal(huge), "it was accepted");
}

TEST(AptAnswer, sums_of_as_many_of_the_largest_as_are_accepted_are_exact) {
  constexpr std::int64_t tebibyte = std::int64_t{1} << 40U;
  Json json = with("changes", upgrade_row, "installed_size", -tebibyte);
  json["changes"][upgrade_row]["size"] = tebibyte;
  Update update = parse_answer(dump_json(json)).value().update;
  const Change largest = update.changes[upgrade_row];
  update.changes.assign(50'000, largest);
  EXPECT_EQ(update.installed_size(), -tebibyte * 50'000);
  EXPECT_EQ(update.download_size(), static_cast<std::uint64_t>(tebibyte) * 50'000);
}

TEST(AptAnswer, flags_are_flags) {
  for (const char* key : {"essential", "security", "downgrade"}) {
    for (const Json& value : {Json(0), Json(1), Json("true"), Json(nullptr)}) EXPECT_NE(refusal(with("changes", upgrade_row, key, value)), "it was accepted") << key;
  }
}

TEST(AptAnswer, digest_is_64_hex_digits) {
  for (const std::string& value : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g'), "sha256:" + digest.substr(7)}) {
    EXPECT_NE(refusal(with("changes", upgrade_row, "sha256", value)), "it was accepted") << value;
  }
}

TEST(AptAnswer, operations_are_the_four_of_dpkg) {
  for (const char* value : {"", "install", "Unpack", "unpack ", "rm -rf"}) EXPECT_NE(refusal(with("operations", 0, "do", value)), "it was accepted") << value;
  EXPECT_EQ(refusal(with("operations", 0, "do", "a\x1B")), "'a\\x1B' is no operation");
}

TEST(AptAnswer, more_than_50000_rows_are_failed_in_any_list) {
  const std::vector<int> rows(50'001, 0);
  for (const char* list : {"changes", "operations", "kept", "unknown", "unneeded"}) {
    Json json = answer();
    json[list] = rows;
    EXPECT_EQ(refusal(json), std::string(list) + " is no list of at most 50000");
  }
}

TEST(AptAnswer, reason_is_cut_and_escaped) {
  const auto parsed = parse_answer(dump_json(with("kept", 0, "why", "\x1B[2J" + std::string(2000, 'x'))));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->update.kept[0].why, "\\x1B[2J" + std::string(1020, 'x'));
}

TEST(AptAnswer, of_a_removed_package_only_what_it_is_counts) {
  Json json = with("changes", 0, "file", "../x");
  json["changes"][0]["source"] = -1;
  const auto parsed = parse_answer(dump_json(json));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->update.changes[0].file, "");
}

}  // namespace
}  // namespace vmpatch::repository::apt
