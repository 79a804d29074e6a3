#include <gmock/gmock.h>

#include "unit/trust/fixtures.hpp"

namespace vmpatch::trust {
namespace {

using test::ScratchDir;
using testing::HasSubstr;

// A small authority run by the openssl command: root → (intermediate →) signer.
class CertificateTest : public testing::Test {
 protected:
  void SetUp() override {
    now_ = SystemClock().now() + std::chrono::hours(1);  // certificates made below are valid from then on
    write("root.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
    write("good.ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n");
    write("no-eku.ext", "keyUsage=critical,digitalSignature\n");
    write("tls.ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n");
    write("no-usage.ext", "basicConstraints=CA:FALSE\n");
    write("crypt.ext", "keyUsage=critical,keyEncipherment\n");
    write("ca.cnf",
          "[ca]\ndefault_ca=d\n[d]\ndatabase=" + path("index") + "\ndefault_md=sha256\ndefault_crl_days=30\n");
    write("index", "");
    make_certificate("root", "root.ext", "");
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (dir_ / name).string(); }
  void write(const std::string& name, const std::string& text) { ASSERT_TRUE(write_file_atomic(dir_ / name, text)); }
  [[nodiscard]] std::string text(const std::string& name) const {
    auto content = read_file(dir_ / name);
    EXPECT_TRUE(content) << name;
    return content ? *content : std::string();
  }
  static void openssl(std::vector<std::string> argv) {
    argv.insert(argv.begin(), "openssl");
    const auto done = test::run_tool(argv);
    ASSERT_TRUE(done) << done.error().message;
  }

  void make_certificate(const std::string& name, const std::string& extensions, const std::string& issuer,
                        const std::string& days = "30") {
    openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path(name + ".key")});
    openssl({"req", "-new", "-key", path(name + ".key"), "-subj", "/CN=" + name, "-out", path(name + ".csr")});
    std::vector<std::string> sign = {"x509",  "-req", "-in",  path(name + ".csr"), "-extfile", path(extensions),
                                     "-days", days,   "-out", path(name + ".crt")};
    const std::vector<std::string> by = issuer.empty()
                                            ? std::vector<std::string>{"-signkey", path(name + ".key")}
                                            : std::vector<std::string>{"-CA", path(issuer + ".crt"), "-CAkey",
                                                                       path(issuer + ".key"), "-CAcreateserial"};
    sign.insert(sign.end(), by.begin(), by.end());
    openssl(sign);
  }

  /// Signs with the key of `name` and verifies with its certificate (and `more_pem` behind it).
  [[nodiscard]] Result<Verified<std::string>> verify(const std::string& name, const std::string& more_pem = "") {
    TrustedKey entry;
    entry.certificate_pem = text(name + ".crt") + more_pem;
    auto key = PublicKey::from_pem(entry.certificate_pem, name);
    EXPECT_TRUE(key) << key.error().message;
    entry.key = std::make_shared<const PublicKey>(std::move(*key));
    entry.role = "author";
    keyring_.keys = {entry};
    EXPECT_EQ(::chmod(path(name + ".key").c_str(), 0600), 0);
    const auto signer = PrivateKey::load(dir_ / (name + ".key"));
    EXPECT_TRUE(signer) << signer.error().message;
    Envelope envelope{std::string(recipe_payload_type), "x", {}};
    EXPECT_TRUE(add_signature(envelope, *signer));
    return Verifier(keyring_, now_).verify(envelope, recipe_payload_type, "R");
  }
  void expect_untrusted(const Result<Verified<std::string>>& verified, const std::string& part) {
    ASSERT_FALSE(verified) << "expected: " << part;
    EXPECT_EQ(verified.error().code, Errc::untrusted);
    EXPECT_THAT(verified.error().message, HasSubstr(part));
  }

  ScratchDir dir_;
  Time now_{};
  Keyring keyring_;
};

TEST_F(CertificateTest, code_signing_certificate_of_an_authority_is_good_and_expires) {
  make_certificate("signer", "good.ext", "root");
  keyring_.authorities_pem = {text("root.crt")};
  const auto verified = verify("signer");
  ASSERT_TRUE(verified) << verified.error().message;
  now_ += std::chrono::hours(24 * 31);
  expect_untrusted(verify("signer"), "expired");
  now_ -= std::chrono::hours(24 * 40);
  expect_untrusted(verify("signer"), "not yet valid");
}

TEST_F(CertificateTest, certificate_without_extended_key_usage_is_good) {
  make_certificate("signer", "no-eku.ext", "root");
  keyring_.authorities_pem = {text("root.crt")};
  const auto verified = verify("signer");
  EXPECT_TRUE(verified) << verified.error().message;
}

TEST_F(CertificateTest, wrong_purpose_is_untrusted) {
  keyring_.authorities_pem = {text("root.crt")};
  for (const auto* extensions : {"tls.ext", "no-usage.ext", "crypt.ext"}) {
    make_certificate("signer", extensions, "root");
    expect_untrusted(verify("signer"), "wrong purpose");
  }
}

TEST_F(CertificateTest, missing_and_foreign_authority_are_untrusted) {
  make_certificate("signer", "good.ext", "root");
  expect_untrusted(verify("signer"), "no authority");
  make_certificate("other", "root.ext", "");
  keyring_.authorities_pem = {text("other.crt")};
  expect_untrusted(verify("signer"), "issuer certificate");
}

TEST_F(CertificateTest, intermediate_may_come_with_the_certificate) {
  make_certificate("middle", "root.ext", "root");
  make_certificate("signer", "good.ext", "middle");
  keyring_.authorities_pem = {text("root.crt")};
  expect_untrusted(verify("signer"), "issuer certificate");
  const auto verified = verify("signer", text("middle.crt"));
  EXPECT_TRUE(verified) << verified.error().message;
}

TEST_F(CertificateTest, signer_that_is_no_authority_cannot_issue) {
  make_certificate("middle", "good.ext", "root");
  make_certificate("signer", "good.ext", "middle");
  keyring_.authorities_pem = {text("root.crt")};
  expect_untrusted(verify("signer", text("middle.crt")), "certificate: ");
}

TEST_F(CertificateTest, certificate_on_the_revocation_list_is_untrusted) {
  make_certificate("signer", "good.ext", "root");
  make_certificate("neighbour", "good.ext", "root");
  keyring_.authorities_pem = {text("root.crt")};
  const std::vector<std::string> authority = {"-config",        path("ca.cnf"), "-cert",
                                              path("root.crt"), "-keyfile",     path("root.key")};
  std::vector<std::string> revoke = {"ca", "-revoke", path("neighbour.crt")};
  revoke.insert(revoke.end(), authority.begin(), authority.end());
  openssl(revoke);
  std::vector<std::string> list = {"ca", "-gencrl", "-out", path("crl")};
  list.insert(list.end(), authority.begin(), authority.end());
  openssl(list);
  keyring_.crls_pem = {text("crl")};
  const auto good = verify("signer");
  EXPECT_TRUE(good) << good.error().message;
  expect_untrusted(verify("neighbour"), "revoked");
}

TEST_F(CertificateTest, certificate_without_a_list_of_its_issuer_is_untrusted_once_lists_are_in_use) {
  make_certificate("other", "root.ext", "");
  make_certificate("signer", "good.ext", "other");
  std::vector<std::string> list = {"ca",       "-gencrl",        "-config", path("ca.cnf"), "-cert", path("root.crt"),
                                   "-keyfile", path("root.key"), "-out",    path("crl")};
  openssl(list);
  keyring_.authorities_pem = {text("root.crt"), text("other.crt")};
  keyring_.crls_pem = {text("crl")};
  expect_untrusted(verify("signer"), "CRL");
}

TEST_F(CertificateTest, certificate_of_another_key_is_untrusted) {
  make_certificate("signer", "good.ext", "root");
  make_certificate("neighbour", "good.ext", "root");
  keyring_.authorities_pem = {text("root.crt")};
  ASSERT_TRUE(verify("signer"));
  const auto key = PrivateKey::load(dir_ / "signer.key");
  ASSERT_TRUE(key);
  Envelope envelope{std::string(recipe_payload_type), "x", {}};
  ASSERT_TRUE(add_signature(envelope, *key));
  keyring_.keys[0].certificate_pem = text("neighbour.crt");
  expect_untrusted(Verifier(keyring_, now_).verify(envelope, recipe_payload_type, "R"), "another key");
}

}  // namespace
}  // namespace vmpatch::trust
