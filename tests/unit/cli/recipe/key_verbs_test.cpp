#include <sys/stat.h>

#include "unit/cli/recipe/verb_fixture.hpp"

namespace vmpatch {
namespace {

using testing::HasSubstr;

class KeyVerbs : public test::VerbTest {
 protected:
  std::string generate(const std::string& name, const std::string& type = "ed25519") {
    return run_json({"key", "generate", path(name), "--type", type})["id"].get<std::string>();
  }
  static unsigned mode_of(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777U;
  }
};

TEST_F(KeyVerbs, generate_writes_a_private_file_and_its_public_half_and_never_overwrites) {
  for (const auto* type : {"ed25519", "ecdsa-p256", "rsa-pss"}) {
    const auto id = generate(type, type);
    EXPECT_EQ(mode_of(path(type)), 0600U);
    EXPECT_EQ(mode_of(path(type) + ".pub"), 0644U);
    EXPECT_EQ(trust::PrivateKey::load(path(type))->public_key()->id(), id);
    expect_error({"key", "generate", path(type)}, Errc::refused, "exists already");
    EXPECT_EQ(trust::PrivateKey::load(path(type))->public_key()->id(), id);
  }
  ASSERT_TRUE(create_file(dir_ / "half.pub", "x", 0644));
  expect_error({"key", "generate", path("half")}, Errc::refused, "half.pub exists already");
  EXPECT_FALSE(fs::exists(path("half")));
  expect_error({"key", "generate", path("other"), "--type", "dsa"}, Errc::usage, "dsa");
}

TEST_F(KeyVerbs, trusted_key_is_listed_with_role_name_and_expiry) {
  EXPECT_THAT(run_good({"key", "list"}), HasSubstr("no key is trusted"));
  const auto id = generate("author");
  run_good(
      {"key", "trust", path("author.pub"), "--role", "author", "--name", "release team", "--expires", "2027-01-01"});
  const auto list = run_json({"key", "list"});
  EXPECT_EQ(list["schema"], "vm-patch/keys/v1");
  ASSERT_EQ(list["keys"].size(), 1U);
  EXPECT_EQ(list["keys"][0]["id"], id);
  EXPECT_EQ(list["keys"][0]["name"], "release team");
  EXPECT_EQ(list["keys"][0]["state"], "trusted");
  EXPECT_EQ(list["thresholds"]["author"], 1);
  EXPECT_THAT(run_good({"key", "list"}), HasSubstr("until 2027-01-01"));
  clock_.set(test::at("2027-01-01"));
  EXPECT_EQ(run_json({"key", "list"})["keys"][0]["state"], "expired");
}

TEST_F(KeyVerbs, trust_refuses_what_makes_no_sense) {
  generate("author");
  expect_error({"key", "trust", path("author.pub"), "--role", "boss"}, Errc::usage, "role 'boss'");
  expect_error({"key", "trust", path("author"), "--role", "author"}, Errc::untrusted, "private key");
  expect_error({"key", "trust", path("absent.pub"), "--role", "author"}, Errc::not_found, "absent.pub");
  expect_error({"key", "trust", path("author.pub"), "--role", "author", "--expires", "2026-01-01"}, Errc::usage,
               "past");
  EXPECT_FALSE(fs::exists(path("trust.yaml")));
  run_good({"key", "trust", path("author.pub"), "--role", "author"});
  expect_error({"key", "trust", path("author.pub"), "--role", "approver"}, Errc::refused, "trusted already, as author");
}

TEST_F(KeyVerbs, trust_knows_a_key_again_in_another_form) {
  const auto id = generate("author", "ecdsa-p256");
  run_good({"key", "trust", path("author.pub"), "--role", "author"});
  ASSERT_TRUE(test::run_tool({"openssl", "ec", "-pubin", "-in", path("author.pub"), "-pubout", "-conv_form", "compressed", "-out",
                              path("other.pub")}));
  const auto before = read_file(path("trust.yaml")).value();
  expect_error({"key", "trust", path("other.pub"), "--role", "approver"}, Errc::refused,
               "key " + id + " is trusted already, as author; a key has one role");
  EXPECT_EQ(read_file(path("trust.yaml")).value(), before);
  run_good({"key", "revoke", id, "--reason", "laptop lost"});
  expect_error({"key", "trust", path("other.pub"), "--role", "author"}, Errc::refused, "a revoked key stays revoked");
}

TEST_F(KeyVerbs, revoked_key_stays_revoked) {
  const auto id = generate("author");
  run_good({"key", "trust", path("author.pub"), "--role", "author"});
  expect_error({"key", "revoke", id.substr(0, 7), "--reason", "x"}, Errc::usage, "8 hex digits");
  expect_error({"key", "revoke", "00000000", "--reason", "x"}, Errc::not_found, "00000000");
  expect_error({"key", "revoke", id, "--reason", " "}, Errc::usage, "reason");
  EXPECT_EQ(run_json({"key", "revoke", id.substr(0, 8), "--reason", "laptop lost"})["state"], "revoked");
  const auto key = run_json({"key", "list"})["keys"][0];
  EXPECT_EQ(key["state"], "revoked");
  EXPECT_EQ(key["reason"], "laptop lost");
  EXPECT_EQ(key["revoked"], "2026-11-20T00:00:00Z");
  expect_error({"key", "revoke", id, "--reason", "again"}, Errc::refused, "already");
  expect_error({"key", "trust", path("author.pub"), "--role", "author"}, Errc::refused, "stays revoked");
}

TEST_F(KeyVerbs, threshold_is_kept_and_warns_when_nobody_can_meet_it) {
  EXPECT_EQ(run_json({"key", "threshold", "approver", "1"})["thresholds"]["approver"], 1);
  EXPECT_THAT(log_.warnings, HasSubstr("only 0 keys of role approver"));
  EXPECT_EQ(run_json({"key", "list"})["thresholds"]["approver"], 1);
  run_good({"key", "threshold", "approver", "0"});
  EXPECT_FALSE(run_json({"key", "list"})["thresholds"].contains("approver"));
  expect_error({"key", "threshold", "author", "0"}, Errc::usage, "at least one author");
  expect_error({"key", "threshold", "author", "33"}, Errc::usage, "at most 32");
}

TEST_F(KeyVerbs, certificate_needs_its_authority) {
  ASSERT_TRUE(test::run_tool({"openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout",
                              path("c.key"), "-out", path("c.crt")}));
  expect_error({"key", "trust", path("c.crt"), "--role", "author"}, Errc::usage, "--authority");
  run_good({"key", "trust", path("c.crt"), "--role", "author", "--authority", path("c.crt")});
  EXPECT_EQ(run_json({"key", "list"})["keys"][0]["certificate"], true);
}

}  // namespace
}  // namespace vmpatch
