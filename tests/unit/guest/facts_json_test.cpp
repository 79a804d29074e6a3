#include <gtest/gtest.h>

#include <random>

#include "guest/json_bytes.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }
  bool flag() { return below(2) == 1; }
  /// Bytes, characters, NUL, and the characters that stand for bytes.
  std::string text() {
    std::string made;
    for (auto left = below(12); left > 0; --left) {
      switch (below(4)) {
        case 0: made += static_cast<char>(below(256)); break;
        case 1: made += "ä€😀"; break;
        case 2: made += {'\xEE', static_cast<char>(0xB8 + below(8)), static_cast<char>(0x80 + below(64))}; break;
        default: made += static_cast<char>('a' + below(26));
      }
    }
    return made;
  }

 private:
  std::mt19937 engine_;
};

Facts random_facts(unsigned seed) {
  Random random(seed);
  Facts facts;
  facts.os = {random.text(), random.text(), random.text(), random.text(), random.text()};
  facts.arch = random.text();
  facts.package_manager = random.text();
  for (auto left = random.below(20); left > 0; --left) {
    facts.packages.push_back({random.text(), random.text(), random.text(), random.text(), random.text(), random.text(), random.flag(),
                              random.flag(), random.text()});
    facts.mounts.push_back({random.text(), random.text(), random.text(), random.text()});
    facts.kernels.push_back({random.text(), random.flag(), random.flag(), random.text()});
    facts.half_configured.push_back(random.text());
    facts.identity.files[random.text()] = random.text();
  }
  facts.default_boot = {random.text(), random.text()};
  if (random.flag()) facts.last_boot.time = static_cast<std::int64_t>(1 + random.below(latest_time));
  facts.last_boot.source = random.text();
  facts.cloud_init = static_cast<CloudInit>(random.below(3));
  facts.init = random.text();
  facts.identity.machine_id = static_cast<MachineId>(random.below(4));
  facts.hibernated = random.flag();
  facts.access = random.text();
  return facts;
}

TEST(FactsFromJson, everything_comes_back_through_text) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const Facts facts = random_facts(seed);
    const auto json = parse_json(dump_json(to_json(facts)), "facts");
    ASSERT_TRUE(json.has_value()) << seed;
    const auto back = facts_from_json(*json);
    ASSERT_TRUE(back.has_value()) << seed << ": " << back.error().message;
    EXPECT_EQ(*back, facts) << seed;
  }
}

TEST(FactsFromJson, one_missing_added_or_changed_member_is_failed) {
  const Json whole = to_json(random_facts(7));
  for (const auto& [name, value] : whole.items()) {
    Json less = whole;
    less.erase(name);
    EXPECT_FALSE(facts_from_json(less).has_value()) << name;
    Json other = whole;
    other[name] = value.is_array() ? Json::object() : Json::array();
    EXPECT_FALSE(facts_from_json(other).has_value()) << name;
  }
  Json more = whole;
  more["new"] = 1;
  EXPECT_FALSE(facts_from_json(more).has_value());
  Json later = whole;
  later["format"] = whole["format"].get<int>() + 1;
  EXPECT_FALSE(facts_from_json(later).has_value());
  EXPECT_FALSE(facts_from_json(Json::array()).has_value());
  EXPECT_TRUE(facts_from_json(whole).has_value());
}

TEST(FactsFromJson, members_of_packages_are_checked_too) {
  Facts facts;
  facts.packages.push_back({"bash", "5.2", "amd64", "bash", "5.2", "install ok installed", true, false});
  const Json whole = to_json(facts);
  for (const auto& [name, value] : whole["packages"][0].items()) {
    Json less = whole;
    less["packages"][0].erase(name);
    EXPECT_FALSE(facts_from_json(less).has_value()) << name;
    Json other = whole;
    other["packages"][0][name] = 5;
    EXPECT_FALSE(facts_from_json(other).has_value()) << name;
  }
}

TEST(FactsFromJson, counts_are_bounded) {
  Json json = to_json(Facts());
  Json kernel = {{"version", "6"}, {"initrd", true}, {"modules", true}, {"file", "/boot/vmlinuz-6"}};
  json["kernels"] = Json::array();
  for (int i = 0; i < 10'001; ++i) json["kernels"].push_back(kernel);
  const auto facts = facts_from_json(json);
  ASSERT_FALSE(facts.has_value());
  EXPECT_NE(facts.error().message.find("kernels"), std::string::npos) << facts.error().message;
}

TEST(JsonBytes, valid_text_stays_as_it_is) {
  EXPECT_EQ(bytes_to_text("grün €"), "grün €");
  EXPECT_EQ(bytes_to_text("a\xff"), "a\uEFFF");
  EXPECT_EQ(bytes_to_text("\x80"), "\uEF80");
  EXPECT_EQ(text_to_bytes(bytes_to_text("\uEFFF")), "\uEFFF");
  EXPECT_NE(bytes_to_text("\uEFFF"), bytes_to_text("\xff"));
}

}  // namespace
}  // namespace vmpatch::guest
