#include "unit/cli/recipe/verb_fixture.hpp"
#include "unit/recipe/deb_fixture.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class RecipeVerbs : public test::VerbTest {
 protected:
  void SetUp() override {
    run_good({"key", "generate", path("author")});
    run_good({"key", "generate", path("approver"), "--type", "ecdsa-p256"});
  }
  void trust(const std::string& name) { run_good({"key", "trust", path(name + ".pub"), "--role", name}); }
  void make_bundle() {
    test::DebSpec spec;
    spec.changelog =
        "sample (1.0-1) x; urgency=high\n\n  * CVE-2026-1234\n\n -- A <a@localhost>  Sun, 01 Nov 2026 10:00:00 +0000\n";
    const auto deb = test::build_deb(dir_, spec);
    run_good({"recipe", "from-packages", deb.string(), "--id", "sample-update", "-o", path("R.yaml")});
    run_good({"recipe", "bundle", path("R.yaml"), "--payloads", dir_.path().string(), "--key", path("author"), "-o",
              path("R.vmpatch")});
  }
};

TEST_F(RecipeVerbs, printed_template_is_a_valid_recipe) {
  const auto text = run_good({"recipe", "new"});
  const auto parsed = recipe::parse_unverified_recipe(text, "template");
  ASSERT_TRUE(parsed) << parsed.error().message;
  run_good({"recipe", "new", "-o", path("new.yaml")});
  EXPECT_EQ(*read_file(path("new.yaml")), text);
  expect_error({"recipe", "new", "-o", path("new.yaml")}, Errc::refused, "exists already");
  EXPECT_THAT(run_good({"recipe", "lint", path("new.yaml")}), HasSubstr("valid: my-first-recipe version 1"));
}

TEST_F(RecipeVerbs, lint_names_file_line_and_column) {
  ASSERT_TRUE(write_file_atomic(path("bad.yaml"), run_good({"recipe", "new"}) + "colour: red\n"));
  expect_error({"recipe", "lint", path("bad.yaml")}, Errc::untrusted, "bad.yaml:");
  expect_error({"recipe", "lint", path("bad.yaml")}, Errc::untrusted, ":1: unknown key 'colour'");
  expect_error({"recipe", "lint", path("absent.yaml")}, Errc::not_found, "absent.yaml");
}

TEST_F(RecipeVerbs, from_packages_to_verified_bundle) {
  make_bundle();
  trust("author");
  const auto verified = run_json({"recipe", "verify", path("R.vmpatch")});
  EXPECT_EQ(verified["verified"], true);
  EXPECT_EQ(verified["id"], "sample-update");
  EXPECT_EQ(verified["fixes"], Json::array({"CVE-2026-1234"}));
  EXPECT_EQ(verified["signers"][0]["role"], "author");
  EXPECT_EQ(verified["sha256"], sha256(*read_file(path("R.yaml"))).hex());
  EXPECT_THAT(run_good({"recipe", "verify", path("R.vmpatch")}), HasSubstr("good: sample-update version 1"));
}

TEST_F(RecipeVerbs, bundle_of_an_unknown_key_is_untrusted_and_shown_as_such) {
  make_bundle();
  expect_error({"recipe", "verify", path("R.vmpatch")}, Errc::untrusted, "no key is trusted");
  EXPECT_THAT(run_good({"recipe", "show", path("R.vmpatch")}), StartsWith("UNVERIFIED: "));
  trust("approver");
  expect_error({"recipe", "verify", path("R.vmpatch")}, Errc::untrusted, "unknown key");
  EXPECT_EQ(run_json({"recipe", "show", path("R.vmpatch")})["verified"], false);
  trust("author");
  EXPECT_THAT(run_good({"recipe", "show", path("R.vmpatch")}), StartsWith("VERIFIED: signed by author"));
  EXPECT_THAT(run_good({"recipe", "show", path("R.yaml")}), StartsWith("UNVERIFIED: a plain file"));
  EXPECT_THAT(run_good({"recipe", "show", path("R.yaml")}),
              HasSubstr("1. install sample_1.0-1_amd64.deb (keep conffiles)"));
}

TEST_F(RecipeVerbs, second_signature_meets_the_threshold) {
  make_bundle();
  trust("author");
  trust("approver");
  run_good({"key", "threshold", "approver", "1"});
  expect_error({"recipe", "verify", path("R.vmpatch")}, Errc::untrusted, "0 of 1 valid approver signatures");
  expect_error({"recipe", "sign", path("R.vmpatch"), "--key", path("author")}, Errc::refused,
               "has signed this already");
  EXPECT_EQ(run_json({"recipe", "sign", path("R.vmpatch"), "--key", path("approver")})["signed_by"].size(), 2U);
  run_good({"recipe", "verify", path("R.vmpatch")});
}

TEST_F(RecipeVerbs, revoking_the_key_ends_trust_in_old_bundles) {
  make_bundle();
  trust("author");
  run_good({"recipe", "verify", path("R.vmpatch")});
  const auto id = run_json({"key", "list"})["keys"][0]["id"].get<std::string>();
  run_good({"key", "revoke", id, "--reason", "stolen"});
  expect_error({"recipe", "verify", path("R.vmpatch")}, Errc::untrusted, "stolen");
}

TEST_F(RecipeVerbs, expired_recipe_is_neither_bundled_nor_verified) {
  make_bundle();
  trust("author");
  clock_.set(test::at("2027-06-01"));
  expect_error({"recipe", "verify", path("R.vmpatch")}, Errc::untrusted, "expired");
  expect_error({"recipe", "bundle", path("R.yaml"), "--key", path("author")}, Errc::refused, "expired");
  run_good({"recipe", "lint", path("R.yaml")});
  EXPECT_THAT(log_.warnings, HasSubstr("expired"));
}

TEST_F(RecipeVerbs, bundle_with_a_readable_key_or_a_changed_payload_is_refused) {
  make_bundle();
  ASSERT_TRUE(write_file_atomic(path("sample_1.0-1_amd64.deb"), "changed"));
  expect_error({"recipe", "bundle", path("R.yaml"), "--key", path("author"), "-o", path("X.vmpatch")}, Errc::untrusted,
               "sample_1.0-1_amd64.deb");
  fs::permissions(path("author"), fs::perms::owner_read | fs::perms::others_read);
  expect_error({"recipe", "bundle", path("R.yaml"), "--key", path("author"), "-o", path("X.vmpatch")}, Errc::refused,
               "chmod 600");
  EXPECT_FALSE(fs::exists(path("X.vmpatch")));
}

TEST_F(RecipeVerbs, from_packages_writes_to_where_a_link_leads_and_keeps_the_link) {
  const auto deb = test::build_deb(dir_, {});
  ASSERT_TRUE(write_file_atomic(path("R.yaml"), "old", 0640));
  fs::create_symlink("R.yaml", path("to-file"));
  run_good({"recipe", "from-packages", deb.string(), "--id", "a-b", "-o", path("to-file")});
  EXPECT_TRUE(fs::is_symlink(path("to-file")));
  run_good({"recipe", "lint", path("R.yaml")});
  EXPECT_EQ(fs::status(path("R.yaml")).permissions(), fs::perms(0640));
  fs::create_symlink("/proc/self/fd/1", path("to-output"));
  EXPECT_THAT(run_good({"recipe", "from-packages", deb.string(), "--id", "a-b", "-o", path("to-output")}), HasSubstr("id: a-b"));
  EXPECT_TRUE(fs::is_symlink(path("to-output")));
}

TEST_F(RecipeVerbs, from_packages_without_output_prints_the_recipe) {
  const auto deb = test::build_deb(dir_, {});
  const auto text = run_good({"recipe", "from-packages", deb.string(), "--id", "a-b", "--release", "11"});
  EXPECT_TRUE(recipe::parse_unverified_recipe(text, "out"));
  EXPECT_THAT(text, HasSubstr("os: {id: debian, version_id: \"11\"}"));
  expect_error({"recipe", "from-packages", deb.string(), "--id", "a-b", "--os", "no such os"}, Errc::usage, "os id");
}

}  // namespace
}  // namespace vmpatch
