#include "advisory/json_elements.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/format.hpp"

namespace vmpatch::advisory {
namespace {

/// Gives its text in pieces of `piece` bytes.
class Pieces final : public ByteSource {
 public:
  Pieces(std::string_view text, std::size_t piece) : rest_(text), piece_(piece) {}
  Result<std::size_t> read(char* to, std::size_t size) override {
    const std::size_t count = std::min({size, piece_, rest_.size()});
    std::copy_n(rest_.data(), count, to);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
  std::size_t piece_;
};

struct Seen {
  std::vector<std::string> lines;
  Result<void> result = {};
};

Seen read(std::string_view text, std::size_t depth, std::size_t piece = 1'000'000, std::size_t max_element = 1000) {
  Seen seen;
  JsonElements how;
  how.depth = depth;
  how.max_element = max_element;
  how.visit = [&](const JsonElement& element) -> Result<void> {
    seen.lines.push_back(fmt::format("{}@{}: {}", fmt::join(element.path, "/"), element.offset, element.text));
    return {};
  };
  Pieces source(text, piece);
  seen.result = each_json_element(source, how);
  return seen;
}

TEST(JsonElements, CutsAtAnyDepthAndChunk) {
  const std::string text = R"( {"a" : {"x\"":1, "y":[1,{"z":"]}"}]}, "b": 7, "c":{"x":"\\"}} )";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Seen seen = read(text, 2, piece);
    ASSERT_TRUE(seen.result.has_value()) << seen.result.error().message;
    EXPECT_EQ(seen.lines, (std::vector<std::string>{R"(a/x"@15: 1)", R"(a/y@22: [1,{"z":"]}"}])", R"(c/x@56: "\\")"})) << piece;
  }
  EXPECT_EQ(read("[1, {\"a\":2} ,[]]", 1).lines, (std::vector<std::string>{"@1: 1", "@4: {\"a\":2}", "@13: []"}));
  EXPECT_EQ(read(" {\"a\":2} ", 0).lines, (std::vector<std::string>{"@1: {\"a\":2}"}));
  EXPECT_TRUE(read("[]", 1).lines.empty());
}

TEST(JsonElements, SkipsWhatIsNotWanted) {
  std::vector<std::string> seen;
  JsonElements how;
  how.wanted = [](const JsonPath& path) { return path[0] == "b"; };
  how.visit = [&](const JsonElement& element) -> Result<void> {
    seen.emplace_back(element.text);
    return {};
  };
  ASSERT_TRUE(each_json_element(R"({"a":{"b":1},"b":{"c":[2]},"c":"b"})", how).has_value());
  EXPECT_EQ(seen, std::vector<std::string>{R"({"c":[2]})"});
}

TEST(JsonElements, MalformedTextIsAnErrorWithItsOffset) {
  for (const std::string text : {"", " ", "{", "[", "[1", "[1,", "[1,]", "[1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1]", "[\"x]", "[\"x\\", "[[1}]",
                                 "[1] 2", "[1]]", "[{]}", "{\"a\":1 \"b\":2}"}) {
    for (const std::size_t depth : {1U, 2U}) {
      const Seen seen = read(text, depth, 3);
      ASSERT_FALSE(seen.result.has_value()) << text << " at depth " << depth;
      EXPECT_EQ(seen.result.error().code, Errc::failed);
      EXPECT_NE(seen.result.error().message.find("byte"), std::string::npos) << seen.result.error().message;
    }
  }
}

TEST(JsonElements, DepthKeysAndElementsAreBounded) {
  EXPECT_FALSE(read(std::string(100'000, '['), 1).result.has_value());
  EXPECT_FALSE(read("[" + std::string(70, '{'), 1).result.has_value());
  EXPECT_FALSE(read("{\"" + std::string(5000, 'k') + "\":1}", 1).result.has_value());
  const std::string large = "[\"" + std::string(2000, 'v') + "\", 1]";
  EXPECT_FALSE(read(large, 1, 100).result.has_value());
  JsonElements how;
  how.max_element = 1000;
  std::vector<std::string> seen;
  std::size_t too_large = 0;
  how.visit = [&](const JsonElement& element) -> Result<void> {
    seen.emplace_back(element.text);
    return {};
  };
  how.too_large = [&](const JsonPath&, std::uint64_t) { ++too_large; };
  Pieces source(large, 100);
  ASSERT_TRUE(each_json_element(source, how).has_value());
  EXPECT_EQ(too_large, 1U);
  EXPECT_EQ(seen, std::vector<std::string>{"1"});
}

}  // namespace
}  // namespace vmpatch::advisory
