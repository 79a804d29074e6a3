#include <gmock/gmock.h>

#include "unit/trust/fixtures.hpp"

namespace vmpatch::trust {
namespace {

using test::at;
using test::make_key;
using test::trusted;
using testing::HasSubstr;

class VerifierTest : public testing::Test {
 protected:
  static Envelope envelope(std::initializer_list<const PrivateKey*> signers) {
    Envelope made{std::string(recipe_payload_type), "id: x\n", {}};
    for (const auto* key : signers) EXPECT_TRUE(add_signature(made, *key));
    return made;
  }
  [[nodiscard]] Result<Verified<std::string>> verify(const Envelope& made) const {
    return Verifier(keyring_, now_).verify(made, recipe_payload_type, "R.vmpatch");
  }
  void expect_untrusted(const Envelope& made, std::string_view part) const {
    const auto verified = verify(made);
    ASSERT_FALSE(verified) << "expected: " << part;
    EXPECT_EQ(verified.error().code, Errc::untrusted);
    EXPECT_THAT(verified.error().message, HasSubstr("R.vmpatch"));
    EXPECT_THAT(verified.error().message, HasSubstr(std::string(part)));
  }

  Time now_ = at("2026-11-20");
  PrivateKey author_ = make_key();
  PrivateKey approver_ = make_key(KeyType::ecdsa_p256);
  PrivateKey stranger_ = make_key();
  Keyring keyring_{.keys = {trusted(author_, "author", "alice"), trusted(approver_, "approver", "bob")},
                   .thresholds = {{"author", 1}},
                   .authorities_pem = {},
                   .crls_pem = {}};
};

TEST_F(VerifierTest, valid_signature_gives_the_payload_and_the_signer) {
  const auto verified = verify(envelope({&author_}));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->get(), "id: x\n");
  ASSERT_EQ(verified->signers().size(), 1U);
  EXPECT_EQ(verified->signers()[0].name, "alice");
  EXPECT_EQ(verified->signers()[0].role, "author");
  EXPECT_EQ(verified->signers()[0].key_id, author_.public_key()->id());
}

TEST_F(VerifierTest, empty_keyring_is_untrusted) {
  keyring_.keys.clear();
  expect_untrusted(envelope({&author_}), "no key is trusted");
}

TEST_F(VerifierTest, keyring_without_any_threshold_is_untrusted) {
  keyring_.thresholds = {};
  expect_untrusted(envelope({&author_}), "requires no signature");
  keyring_.thresholds = {{"author", 0}};
  expect_untrusted(envelope({&author_}), "requires no signature");
}

TEST_F(VerifierTest, unsigned_is_untrusted) { expect_untrusted(envelope({}), "unsigned"); }

TEST_F(VerifierTest, unknown_key_is_untrusted) { expect_untrusted(envelope({&stranger_}), "unknown key"); }

TEST_F(VerifierTest, unknown_key_besides_a_good_one_is_no_obstacle) {
  EXPECT_TRUE(verify(envelope({&stranger_, &author_})));
}

TEST_F(VerifierTest, changed_payload_is_untrusted) {
  auto made = envelope({&author_});
  made.payload += " ";
  expect_untrusted(made, "wrong signature");
}

TEST_F(VerifierTest, signature_under_the_name_of_another_key_is_untrusted) {
  auto made = envelope({&stranger_});
  made.signatures[0].key_id = author_.public_key()->id();
  expect_untrusted(made, "wrong signature");
}

TEST_F(VerifierTest, wrong_payload_type_is_untrusted) {
  Envelope made{std::string(attestation_payload_type), "id: x\n", {}};
  ASSERT_TRUE(add_signature(made, author_));
  expect_untrusted(made, "payload type");
  made.payload_type = recipe_payload_type;  // the type is signed too
  expect_untrusted(made, "wrong signature");
}

TEST_F(VerifierTest, key_is_good_until_the_moment_it_expires) {
  keyring_.keys[0].expires = at("2026-11-20T00:00:01Z");
  EXPECT_TRUE(verify(envelope({&author_})));
  keyring_.keys[0].expires = at("2026-11-20");
  expect_untrusted(envelope({&author_}), "expired on 2026-11-20T00:00:00Z");
}

TEST_F(VerifierTest, revoked_key_is_untrusted_with_the_reason) {
  keyring_.keys[0].revoked = at("2026-11-19");
  keyring_.keys[0].revoked_reason = "laptop lost";
  expect_untrusted(envelope({&author_}), "laptop lost");
}

TEST_F(VerifierTest, revoked_key_stays_so_when_the_clock_goes_back) {
  keyring_.keys[0].revoked = at("2036-11-19");
  expect_untrusted(envelope({&author_}), "revoked on 2036-11-19");
}

TEST_F(VerifierTest, key_listed_twice_is_revoked_when_one_entry_is) {
  keyring_.keys.push_back(trusted(author_, "approver"));
  keyring_.keys.back().revoked = at("2026-11-19");
  expect_untrusted(envelope({&author_}), "revoked");
}

TEST_F(VerifierTest, same_key_twice_counts_once) {
  keyring_.thresholds = {{"author", 2}};
  auto made = envelope({&author_});
  made.signatures.push_back(made.signatures[0]);
  expect_untrusted(made, "1 of 2 valid author signatures");
  expect_untrusted(made, "counts once");
}

TEST_F(VerifierTest, every_role_needs_its_threshold) {
  keyring_.thresholds = {{"author", 1}, {"approver", 1}};
  expect_untrusted(envelope({&author_}), "0 of 1 valid approver signatures");
  expect_untrusted(envelope({&approver_}), "0 of 1 valid author signatures");
  const auto both = verify(envelope({&author_, &approver_}));
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->signers().size(), 2U);
}

TEST_F(VerifierTest, one_key_in_two_roles_counts_as_author_whichever_is_listed_first) {
  keyring_.keys.push_back(trusted(author_, "approver"));
  keyring_.thresholds = {{"author", 1}, {"approver", 1}};
  expect_untrusted(envelope({&author_}), "0 of 1 valid approver signatures");
  keyring_.keys = {trusted(author_, "approver"), trusted(author_, "author")};
  expect_untrusted(envelope({&author_}), "0 of 1 valid approver signatures");
}

TEST_F(VerifierTest, key_listed_twice_is_expired_when_one_entry_is) {
  keyring_.keys.push_back(trusted(author_, "author"));
  keyring_.keys.back().expires = at("2026-11-19");
  expect_untrusted(envelope({&author_}), "expired on 2026-11-19");
}

TEST_F(VerifierTest, a_refresher_alone_is_enough_and_the_result_says_so) {
  const PrivateKey refresher = make_key();
  keyring_.keys.push_back(trusted(refresher, "refresher", "host"));
  keyring_.thresholds = {{"author", 1}, {"approver", 1}, {"refresher", 2}};  // of which the last does not count
  const auto alone = verify(envelope({&refresher}));
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_TRUE(alone->made_by_machine());
  const auto half = verify(envelope({&refresher, &author_}));
  ASSERT_TRUE(half);
  EXPECT_TRUE(half->made_by_machine()) << "an approver is missing";
  const auto whole = verify(envelope({&refresher, &author_, &approver_}));
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->made_by_machine());
}

TEST_F(VerifierTest, a_refresher_that_is_revoked_expired_or_of_another_role_is_not_enough) {
  const PrivateKey refresher = make_key();
  keyring_.keys.push_back(trusted(refresher, "refresher", "host"));
  keyring_.keys.back().revoked = at("2026-11-01");
  expect_untrusted(envelope({&refresher}), "revoked on 2026-11-01");
  keyring_.keys.back().revoked.reset();
  keyring_.keys.back().expires = at("2026-11-19");
  expect_untrusted(envelope({&refresher}), "expired on 2026-11-19");
  keyring_.keys.back().expires.reset();
  keyring_.keys.back().role = "refreshers";
  expect_untrusted(envelope({&refresher}), "0 of 1 valid author");
}

}  // namespace
}  // namespace vmpatch::trust
