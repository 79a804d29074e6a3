#include "vmpatch/recipe/trust_file.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "unit/trust/fixtures.hpp"

namespace vmpatch::recipe {
namespace {

using test::at;
using test::make_key;
using testing::HasSubstr;

class TrustFileTest : public testing::Test {
 protected:
  void expect_usage(const std::string& text, std::string_view part) {
    ASSERT_TRUE(write_file_atomic(file_, text));
    const auto keyring = load_trust_file(file_);
    ASSERT_FALSE(keyring) << text;
    EXPECT_EQ(keyring.error().code, Errc::usage);
    EXPECT_THAT(keyring.error().message, HasSubstr(file_.string() + ":"));
    EXPECT_THAT(keyring.error().message, HasSubstr(std::string(part)));
  }
  static std::string indented(const std::string& pem) {
    std::string text = "|\n      ";
    for (const char c : pem) text += c == '\n' ? std::string("\n      ") : std::string(1, c);
    return text + "\n";
  }

  test::ScratchDir dir_;
  std::filesystem::path file_ = dir_ / "trust.yaml";
};

TEST_F(TrustFileTest, missing_and_empty_files_are_empty_keyrings) {
  EXPECT_TRUE(load_trust_file(file_)->keys.empty());
  ASSERT_TRUE(write_file_atomic(file_, ""));
  EXPECT_TRUE(load_trust_file(file_)->keys.empty());
}

TEST_F(TrustFileTest, saved_keyring_reads_back) {
  trust::Keyring keyring;
  keyring.thresholds = {{"author", 2}, {"approver", 1}};
  for (const auto type : {trust::KeyType::ed25519, trust::KeyType::ecdsa_p256, trust::KeyType::rsa_pss})
    keyring.keys.push_back(test::trusted(make_key(type), "author", "name: \"" + std::string(to_string(type)) + "\""));
  keyring.keys[0].expires = at("2027-01-01");
  keyring.keys[1].revoked = at("2026-11-05T10:20:30Z");
  keyring.keys[1].revoked_reason = "laptop lost";
  keyring.keys[2].role = "approver";
  ASSERT_TRUE(save_trust_file(file_, keyring));
  const auto again = load_trust_file(file_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->thresholds, keyring.thresholds);
  ASSERT_EQ(again->keys.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again->keys[i].key->id(), keyring.keys[i].key->id());
    EXPECT_EQ(again->keys[i].name, keyring.keys[i].name);
    EXPECT_EQ(again->keys[i].role, keyring.keys[i].role);
    EXPECT_EQ(again->keys[i].expires, keyring.keys[i].expires);
    EXPECT_EQ(again->keys[i].revoked, keyring.keys[i].revoked);
    EXPECT_EQ(again->keys[i].revoked_reason, keyring.keys[i].revoked_reason);
  }
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(TrustFileTest, certificates_and_authorities_read_back) {
  ASSERT_TRUE(test::run_tool({"openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout",
                              (dir_ / "k").string(), "-out", (dir_ / "c").string()}));
  const auto pem = *read_file(dir_ / "c");
  trust::Keyring keyring;
  trust::TrustedKey entry;
  entry.key = std::make_shared<const trust::PublicKey>(*trust::PublicKey::from_pem(pem, "c"));
  entry.role = "author";
  entry.certificate_pem = pem;
  keyring.keys = {entry};
  keyring.authorities_pem = {pem};
  ASSERT_TRUE(save_trust_file(file_, keyring));
  const auto again = load_trust_file(file_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->keys[0].certificate_pem, pem);
  EXPECT_EQ(again->authorities_pem, keyring.authorities_pem);
}

TEST_F(TrustFileTest, author_threshold_cannot_be_left_out) {
  ASSERT_TRUE(write_file_atomic(file_, "schema: vm-patch/trust/v1\nthresholds: {approver: 1}\n"));
  EXPECT_EQ(load_trust_file(file_)->thresholds.at("author"), 1U);
  expect_usage("schema: vm-patch/trust/v1\nthresholds: {author: 0}\n", ":2:22: ");
}

TEST_F(TrustFileTest, file_that_others_can_write_is_refused) {
  ASSERT_TRUE(save_trust_file(file_, {}));
  for (const mode_t mode : {0664U, 0646U, 0666U}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    const auto keyring = load_trust_file(file_);
    ASSERT_FALSE(keyring);
    EXPECT_EQ(keyring.error().code, Errc::refused);
    EXPECT_THAT(keyring.error().message, HasSubstr("chmod go-w"));
  }
}

TEST_F(TrustFileTest, wrong_content_is_a_usage_error_with_its_place) {
  const std::string head = "schema: vm-patch/trust/v1\n";
  const auto key = make_key();
  const auto pem = indented(key.public_key()->pem());
  expect_usage("keys: []\n", ":1:1: key 'schema' is missing");
  expect_usage("schema: other\n", ":1:9: ");
  expect_usage(head + "extra: 1\n", ":2:1: unknown key 'extra'");
  expect_usage(head + "keys:\n  - role: author\n    public_key: hello\n", ":4:17: ");
  expect_usage(head + "keys:\n  - role: author\n", ":3:5: a key needs either");
  expect_usage(head + "keys:\n  - role: Author\n    public_key: x\n", ":3:11: a role");
  expect_usage(head + "keys:\n  - role: author\n    type: rsa-pss\n    public_key: " + pem, ":4:11: type is 'rsa-pss'");
  expect_usage(head + "keys:\n  - role: author\n    certificate: " + pem, "swapped");
  expect_usage(
      head + "keys:\n  - role: author\n    public_key: " + pem + "\n  - role: approver\n    public_key: " + pem,
      "listed twice");
  expect_usage(head + "keys:\n  - role: author\n    reason: x\n    public_key: " + pem, "beside revoked");
  expect_usage(head + "keys: [*a]\n", ":2:");
}

}  // namespace
}  // namespace vmpatch::recipe
