#include "fetch/wire.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"

namespace vmpatch::fetch {
namespace {

Request full_request() {
  Request request{"https://example.org/a"};
  request.access = {"http://proxy:1", "certificate\nof lines", "key", "ca", false, true, {std::chrono::milliseconds(1), 2, std::chrono::seconds(3), std::chrono::milliseconds(4)}};
  request.etag = "\"tag\"";
  request.last_modified = "then";
  request.offset = 5;
  request.max_bytes = 6;
  return request;
}

TEST(Wire, RequestIsOneLineAndComesBackAsItWas) {
  const std::string line = encode(full_request());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto back = decode_request(line);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->access.client_certificate, "certificate\nof lines");
  EXPECT_EQ(encode(*back), line);
}

TEST(Wire, RequestWithoutOneOfItsFieldsIsRefused) {
  const Json whole = *parse_json(encode(full_request()), "a request");
  for (const auto& [name, value] : whole.items()) {
    Json without = whole;
    without.erase(name);
    EXPECT_FALSE(decode_request(dump_json(without)).has_value()) << name;
    Json other = whole;
    other[name] = -1;
    EXPECT_FALSE(decode_request(dump_json(other)).has_value()) << name;
  }
}

TEST(Wire, RequestThatIsBrokenIsNotQuoted) {
  const auto broken = decode_request(R"({"client_key": "secret", "url": secret})");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message.find("secret"), std::string::npos) << broken.error().message;
}

TEST(Wire, ReplyComesBackAsItWas) {
  const Json json = to_json(Reply{false, "\"tag\"", "then", 5, 6});
  const auto back = reply_from_json(json);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(to_json(*back), json);
  EXPECT_FALSE(reply_from_json(Json{{"unchanged", false}}).has_value());
}

}  // namespace
}  // namespace vmpatch::fetch
