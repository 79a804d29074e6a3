#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::trust {
namespace {

TEST(DsseEncoding, is_that_of_the_specification) {
  EXPECT_EQ(pre_authentication_encoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST(DsseEnvelope, written_envelope_reads_back) {
  Envelope envelope{std::string(recipe_payload_type), std::string("a\0b\xff", 4), {}};
  ASSERT_TRUE(add_signature(envelope, test::make_key()));
  const auto again = parse_envelope(write_envelope(envelope), "E");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->payload, envelope.payload);
  EXPECT_EQ(again->payload_type, envelope.payload_type);
  ASSERT_EQ(again->signatures.size(), 1U);
  EXPECT_EQ(again->signatures[0].key_id, envelope.signatures[0].key_id);
  EXPECT_EQ(again->signatures[0].signature, envelope.signatures[0].signature);
}

TEST(DsseEnvelope, signing_twice_with_one_key_is_refused) {
  Envelope envelope{std::string(recipe_payload_type), "x", {}};
  const auto key = test::make_key();
  ASSERT_TRUE(add_signature(envelope, key));
  const auto second = add_signature(envelope, key);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::refused);
}

TEST(DsseEnvelope, damaged_forms_are_untrusted) {
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {"", ""},
      {"[]", "object"},
      {"{}", "payloadType"},
      {R"({"payloadType":"t","payload":"eA=="})", "signatures"},
      {R"({"payloadType":1,"payload":"eA==","signatures":[]})", "payloadType"},
      {R"({"payloadType":"t","payload":"e A=","signatures":[]})", "base64"},
      {R"({"payloadType":"t","payload":"eA==","signatures":[],"x":1})", "unknown member 'x'"},
      {R"({"payloadType":"t","payload":"eA==","payload":"eQ==","signatures":[]})", "twice"},
      {R"({"payloadType":"t","payload":"eA==","signatures":[{"keyid":"k"}]})", "sig"},
      {R"({"payloadType":"t","payload":"eA==","signatures":[{"keyid":"k","sig":"eA==","cert":"c"}]})",
       "unknown member"},
      {R"({"payloadType":"t","payload":"eA==","signatures":[{"keyid":"k","sig":"%%%%"}]})", "base64"},
      {R"({"payloadType":"t","payload":"eA==","signatures":["s"]})", "object"},
      {R"({"payloadType":"t","payload":"eA==","signatures":[]} trailing)", ""},
  };
  for (const auto& [text, part] : damaged) {
    const auto envelope = parse_envelope(text, "E.json");
    ASSERT_FALSE(envelope) << text;
    EXPECT_EQ(envelope.error().code, Errc::untrusted) << text;
    EXPECT_NE(envelope.error().message.find("E.json"), std::string::npos) << envelope.error().message;
    EXPECT_NE(envelope.error().message.find(part), std::string::npos) << envelope.error().message;
  }
}

TEST(DsseEnvelope, too_many_signatures_and_too_many_bytes_are_untrusted) {
  Envelope envelope{"t", "x", {}};
  for (int i = 0; i < 32; ++i) envelope.signatures.push_back({"k" + std::to_string(i), "s"});
  EXPECT_TRUE(parse_envelope(write_envelope(envelope), "E"));
  envelope.signatures.push_back({"k", "s"});
  EXPECT_EQ(parse_envelope(write_envelope(envelope), "E").error().code, Errc::untrusted);
  envelope.signatures.clear();
  envelope.payload.assign(13U << 20U, 'x');
  EXPECT_EQ(parse_envelope(write_envelope(envelope), "E").error().code, Errc::untrusted);
}

}  // namespace
}  // namespace vmpatch::trust
