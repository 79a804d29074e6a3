// One private key has one id, in whatever form its public half comes: made by openssl.
#include <gmock/gmock.h>

#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::trust {
namespace {

using test::run_tool;
using test::ScratchDir;
using testing::HasSubstr;

class KeyForms : public testing::Test {
 protected:
  std::string make(const std::vector<std::string>& kind) {
    const auto key = (dir_ / "key").string();
    std::vector<std::string> argv{"openssl", "genpkey", "-out", key};
    argv.insert(argv.end(), kind.begin(), kind.end());
    EXPECT_TRUE(run_tool(argv));
    EXPECT_TRUE(run_tool({"chmod", "600", key}));
    return key;
  }
  std::string make_ec() { return make({"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}); }
  static std::string public_pem(const std::string& key, const std::vector<std::string>& form = {}) {
    std::vector<std::string> argv{"openssl", form.empty() ? "pkey" : "ec", "-in", key, "-pubout"};
    argv.insert(argv.end(), form.begin(), form.end());
    const auto pem = run_tool(argv);
    EXPECT_TRUE(pem) << pem.error().message;
    return pem ? pem->out : std::string();
  }
  /// The RSA key as RSASSA-PSS without parameters (RFC 4055), which says the same about it as rsaEncryption.
  std::string as_rsa_pss(const std::string& key) const {
    const auto modulus = run_tool({"openssl", "rsa", "-in", key, "-noout", "-modulus"});
    EXPECT_TRUE(modulus);
    const auto config = "asn1=SEQUENCE:key\n[key]\na=SEQUENCE:algorithm\nk=BITWRAP,SEQUENCE:numbers\n[algorithm]\n"
                        "o=OID:1.2.840.113549.1.1.10\n[numbers]\nn=INTEGER:0x" +
                        std::string(trim(modulus->out)).substr(std::string("Modulus=").size()) + "\ne=INTEGER:0x010001\n";
    EXPECT_TRUE(write_file_atomic(dir_ / "asn1", config));
    EXPECT_TRUE(run_tool({"openssl", "asn1parse", "-genconf", (dir_ / "asn1").string(), "-noout", "-out", (dir_ / "der").string()}));
    const auto pem = run_tool({"openssl", "pkey", "-pubin", "-inform", "DER", "-in", (dir_ / "der").string(), "-pubout"});
    EXPECT_TRUE(pem) << pem.error().message;
    return pem ? pem->out : std::string();
  }
  /// The RSA key with the public exponent 257: the private half of one is that of the other to whoever knows the factors.
  std::string with_exponent_257(const std::string& key) const {
    const auto modulus = run_tool({"openssl", "rsa", "-in", key, "-noout", "-modulus"});
    EXPECT_TRUE(modulus);
    const auto config = "asn1=SEQUENCE:key\n[key]\na=SEQUENCE:algorithm\nk=BITWRAP,SEQUENCE:numbers\n[algorithm]\no=OID:rsaEncryption\np=NULL\n[numbers]\nn=INTEGER:0x" +
                        std::string(trim(modulus->out)).substr(std::string("Modulus=").size()) + "\ne=INTEGER:257\n";
    EXPECT_TRUE(write_file_atomic(dir_ / "asn1", config));
    EXPECT_TRUE(run_tool({"openssl", "asn1parse", "-genconf", (dir_ / "asn1").string(), "-noout", "-out", (dir_ / "der").string()}));
    const auto pem = run_tool({"openssl", "pkey", "-pubin", "-inform", "DER", "-in", (dir_ / "der").string(), "-pubout"});
    EXPECT_TRUE(pem) << pem.error().message;
    return pem ? pem->out : std::string();
  }
  static std::shared_ptr<const PublicKey> parse(const std::string& pem) {
    auto key = PublicKey::from_pem(pem, "form");
    EXPECT_TRUE(key) << key.error().message;
    return key ? std::make_shared<const PublicKey>(std::move(*key)) : nullptr;
  }
  static std::string digest_of_der(const std::string& key) {
    const auto digest = run_tool({"sh", "-c", "openssl pkey -in " + key + " -pubout -outform DER | sha256sum | cut -d' ' -f1"});
    EXPECT_TRUE(digest);
    return std::string(trim(digest->out));
  }

  ScratchDir dir_;
};

TEST_F(KeyForms, elliptic_key_has_one_id_whatever_its_point_and_curve_are_written_as) {
  const auto key = make_ec();
  const auto ordinary = public_pem(key);
  const std::vector<std::vector<std::string>> forms{{"-conv_form", "compressed"},
                                                    {"-conv_form", "hybrid"},
                                                    {"-param_enc", "explicit"},
                                                    {"-param_enc", "explicit", "-conv_form", "compressed"}};
  const auto id = digest_of_der(key);
  EXPECT_EQ(parse(ordinary)->id(), id) << "ids of ordinary keys do not change";
  for (const auto& form : forms) {
    const auto pem = public_pem(key, form);
    ASSERT_NE(pem, ordinary) << form[1];
    EXPECT_EQ(parse(pem)->id(), id) << form[1];
  }
}

TEST_F(KeyForms, private_half_in_another_form_signs_under_the_same_id) {
  const auto key = make_ec();
  const auto id = parse(public_pem(key))->id();
  for (const auto& form : {std::vector<std::string>{"-conv_form", "compressed"}, {"-param_enc", "explicit"}}) {
    const auto other = (dir_ / "other").string();
    std::vector<std::string> argv{"openssl", "ec", "-in", key, "-out", other};
    argv.insert(argv.end(), form.begin(), form.end());
    ASSERT_TRUE(run_tool(argv));
    ASSERT_TRUE(run_tool({"chmod", "600", other}));
    const auto loaded = PrivateKey::load(other);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->public_key()->id(), id) << form[1];
    const auto signature = loaded->sign("the message");
    ASSERT_TRUE(signature);
    EXPECT_TRUE(parse(public_pem(key))->verify_signature("the message", *signature));
  }
}

TEST_F(KeyForms, rsa_key_has_one_id_as_rsa_and_as_rsa_pss) {
  const auto key = make({"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  const auto pss = as_rsa_pss(key);
  ASSERT_NE(pss, public_pem(key));
  EXPECT_EQ(parse(public_pem(key))->id(), digest_of_der(key));
  EXPECT_EQ(parse(pss)->id(), digest_of_der(key));
  const auto signature = PrivateKey::load(key)->sign("the message");
  ASSERT_TRUE(signature);
  EXPECT_TRUE(parse(pss)->verify_signature("the message", *signature));
}

TEST_F(KeyForms, rsa_keys_of_one_modulus_are_one_secret) {
  const auto path = make({"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  const auto one = parse(public_pem(path));
  const auto two = parse(with_exponent_257(path));
  EXPECT_NE(one->id(), two->id());
  EXPECT_TRUE(one->shares_secret_with(*two));
  // Trusted under both all the same: the strictest entry holds, and the role is one.
  Keyring keyring;
  for (const auto& [role, key] : {std::pair{"approver", one}, std::pair{"author", two}}) {
    TrustedKey entry;
    entry.key = key;
    entry.role = role;
    keyring.keys.push_back(std::move(entry));
  }
  Envelope made{std::string(recipe_payload_type), "id: x\n", {}};
  made.signatures.push_back({one->id(), *PrivateKey::load(path)->sign(pre_authentication_encoding(made.payload_type, made.payload))});
  const auto trusted = Verifier(keyring, test::at("2026-11-20")).verify(made, recipe_payload_type, "R");
  ASSERT_TRUE(trusted) << trusted.error().message;
  EXPECT_EQ(trusted->signers().front().role, "author");
  EXPECT_FALSE(parse(public_pem(make({"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"})))->shares_secret_with(*one));
  keyring.keys[1].revoked = test::at("2027-11-20");
  const auto verified = Verifier(keyring, test::at("2026-11-20")).verify(made, recipe_payload_type, "R");
  ASSERT_FALSE(verified);
  EXPECT_THAT(verified.error().message, HasSubstr("revoked on 2027-11-20"));
}

TEST_F(KeyForms, ids_of_ed25519_are_those_of_openssl) {
  const auto key = make({"-algorithm", "ED25519"});
  EXPECT_EQ(parse(public_pem(key))->id(), digest_of_der(key));
}

TEST_F(KeyForms, one_key_trusted_in_two_forms_is_not_author_and_approver) {
  const auto path = make_ec();
  const auto key = PrivateKey::load(path);
  ASSERT_TRUE(key);
  Keyring keyring;
  for (const auto& [role, pem] : {std::pair<std::string, std::string>{"author", public_pem(path)},
                                  {"approver", public_pem(path, {"-conv_form", "compressed"})}}) {
    TrustedKey entry;
    entry.key = parse(pem);
    entry.role = role;
    keyring.keys.push_back(std::move(entry));
  }
  keyring.thresholds = {{"author", 1}, {"approver", 1}};
  Envelope made{std::string(recipe_payload_type), "id: x\n", {}};
  // What a signer who means to count twice would write: one signature under each name of the key.
  for (const auto& entry : keyring.keys) {
    made.signatures.push_back({entry.key->id(), *key->sign(pre_authentication_encoding(made.payload_type, made.payload))});
  }
  const auto verified = Verifier(keyring, test::at("2026-11-20")).verify(made, recipe_payload_type, "R.vmpatch");
  ASSERT_FALSE(verified);
  EXPECT_THAT(verified.error().message, HasSubstr("0 of 1 valid approver signatures"));
}

}  // namespace
}  // namespace vmpatch::trust
