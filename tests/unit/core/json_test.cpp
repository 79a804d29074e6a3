#include "vmpatch/core/json.hpp"

#include <gtest/gtest.h>

namespace vmpatch {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, keeps_the_order_of_keys) {
  const std::string text = R"({"z":1,"a":[true,null],"m":"x"})";
  EXPECT_EQ(dump_json(parse_json(text, "test").value()), text);
}

TEST(Json, error_names_the_document_and_the_byte_but_quotes_nothing) {
  const auto result = parse_json("{\"a\": \x1b[31m}", "state.json");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::failed);
  EXPECT_EQ(result.error().message, "state.json: not valid JSON at byte 7");
}

TEST(Json, trailing_text_comments_and_nothing_are_errors) {
  for (const char* text : {"", "{} {}", "{} x", "/* c */ {}", "[1,]", "nan", "{'a':1}", "\"\xFF\""}) {
    EXPECT_FALSE(parse_json(text, "test")) << text;
  }
}

TEST(Json, number_out_of_range_is_an_error) { EXPECT_FALSE(parse_json("[1e999]", "test")); }

TEST(Json, nesting_of_64_is_read_and_65_is_not) {
  EXPECT_TRUE(parse_json(nested(64), "test").has_value());
  const auto result = parse_json(nested(65), "test");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("deeper than 64"), std::string::npos);
}

TEST(Json, a_million_open_brackets_are_refused_not_followed) {
  EXPECT_FALSE(parse_json(std::string(1'000'000, '['), "test"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  const auto result = parse_json(objects, "test");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("deeper"), std::string::npos);
}

TEST(Json, invalid_utf8_is_replaced_when_written) {
  Json json;
  json["name"] = "a\xFFz";
  EXPECT_EQ(dump_json(json), "{\"name\":\"a\xEF\xBF\xBDz\"}");
}

TEST(Json, indent_makes_lines) {
  Json json;
  json["a"] = 1;
  EXPECT_EQ(dump_json(json, 2), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace vmpatch
