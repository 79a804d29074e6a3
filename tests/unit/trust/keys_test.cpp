#include <sys/stat.h>

#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::trust {
namespace {

using test::make_key;
using test::ScratchDir;

class EveryKeyType : public testing::TestWithParam<KeyType> {};

TEST_P(EveryKeyType, own_signature_holds_and_a_changed_message_does_not) {
  const auto key = make_key(GetParam());
  const auto public_key = key.public_key();
  ASSERT_TRUE(public_key);
  const auto signature = key.sign("the message");
  ASSERT_TRUE(signature);
  EXPECT_TRUE(public_key->verify_signature("the message", *signature));
  const auto changed = public_key->verify_signature("the massage", *signature);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Errc::untrusted);
  EXPECT_FALSE(public_key->verify_signature("the message", ""));
  for (std::size_t i = 0; i < signature->size(); ++i) {
    auto flipped = *signature;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_FALSE(public_key->verify_signature("the message", flipped)) << "byte " << i;
  }
}

TEST_P(EveryKeyType, saved_and_loaded_key_is_the_same_key) {
  const ScratchDir dir;
  const auto key = make_key(GetParam());
  ASSERT_TRUE(create_file(dir / "key", key.pem(), 0600));
  const auto loaded = PrivateKey::load(dir / "key");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->public_key()->id(), key.public_key()->id());
  EXPECT_EQ(loaded->public_key()->type(), GetParam());
  const auto again = PublicKey::from_pem(key.public_key()->pem(), "again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->id(), key.public_key()->id());
}

INSTANTIATE_TEST_SUITE_P(Keys, EveryKeyType, testing::Values(KeyType::ed25519, KeyType::ecdsa_p256, KeyType::rsa_pss));

TEST(PrivateKey, file_that_others_can_read_is_refused) {
  const ScratchDir dir;
  ASSERT_TRUE(create_file(dir / "key", make_key().pem(), 0600));
  ASSERT_EQ(::chmod((dir / "key").c_str(), 0640), 0);
  const auto loaded = PrivateKey::load(dir / "key");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::refused);
  EXPECT_NE(loaded.error().message.find("chmod 600"), std::string::npos);
}

TEST(PrivateKey, missing_file_is_not_found) {
  const ScratchDir dir;
  const auto loaded = PrivateKey::load(dir / "absent");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::not_found);
}

TEST(PrivateKey, encrypted_key_is_named_as_such_and_asks_for_no_password) {
  const ScratchDir dir;
  const auto made = test::run_tool(
      {"openssl", "genpkey", "-algorithm", "ED25519", "-aes256", "-pass", "pass:x", "-out", (dir / "key").string()});
  ASSERT_TRUE(made) << made.error().message;
  const auto loaded = PrivateKey::load(dir / "key");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::unsupported);
}

TEST(PublicKey, small_rsa_and_other_curves_are_untrusted) {
  const ScratchDir dir;
  const std::vector<std::vector<std::string>> weak = {{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"},
                                                      {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
                                                      {"-algorithm", "ED448"}};
  for (const auto& options : weak) {
    std::vector<std::string> argv = {"openssl", "genpkey", "-out", (dir / "key").string()};
    argv.insert(argv.end(), options.begin(), options.end());
    ASSERT_TRUE(test::run_tool(argv));
    const auto pem = test::run_tool({"openssl", "pkey", "-in", (dir / "key").string(), "-pubout"});
    ASSERT_TRUE(pem);
    const auto key = PublicKey::from_pem(pem->out, "weak");
    ASSERT_FALSE(key) << options[1];
    EXPECT_EQ(key.error().code, Errc::untrusted);
  }
}

TEST(PublicKey, private_key_and_garbage_are_untrusted) {
  for (const auto& text :
       {make_key().pem(), std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        std::string("hello"), std::string()}) {
    const auto key = PublicKey::from_pem(text, "FILE");
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::untrusted);
  }
}

TEST(PublicKey, id_is_the_digest_that_openssl_gives_for_the_public_key) {
  const ScratchDir dir;
  const auto key = make_key(KeyType::ecdsa_p256);
  ASSERT_TRUE(create_file(dir / "key.pub", key.public_key()->pem(), 0644));
  ASSERT_TRUE(test::run_tool({"openssl", "pkey", "-pubin", "-in", (dir / "key.pub").string(), "-outform", "DER", "-out",
                              (dir / "der").string()}));
  const auto der = read_file(dir / "der");
  ASSERT_TRUE(der);
  EXPECT_EQ(sha256(*der).hex(), key.public_key()->id());
}

TEST(KeyType, names_are_read_back_and_others_are_usage_errors) {
  for (const auto type : {KeyType::ed25519, KeyType::ecdsa_p256, KeyType::rsa_pss})
    EXPECT_EQ(*parse_key_type(to_string(type)), type);
  EXPECT_EQ(parse_key_type("dsa").error().code, Errc::usage);
}

}  // namespace
}  // namespace vmpatch::trust
