#include <gmock/gmock.h>

#include "unit/recipe/sample.hpp"
#include "unit/trust/fixtures.hpp"
#include "vmpatch/recipe/recipe.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::recipe {
namespace {

using testing::HasSubstr;

const std::string fingerprint(40, 'A');

std::string made_from() {
  return "made_from:\n  snapshot: \"" + test::digest_a + "\"\n  suites:\n    - {repository: debian, suite: bookworm/updates, date: 2026-11-02T03:04:05Z, signed_file: \"" +
         test::digest_b + "\", signers: [" + fingerprint + "]}\n";
}

std::string only_packages(const std::string& more) {
  return "schema: vm-patch/recipe/v1\nid: refresh.debian-12.0123456789abcdef\nversion: 1\ntitle: Updates\nissued: 2026-11-01\n"
         "applies_to: {os: {id: debian}}\npayloads:\n  - {name: a.deb, sha256: \"" + test::digest_c + "\", size: 1}\nsteps:\n"
         "  - packages: {install: [a.deb]}\n" + more;
}

TEST(MadeFrom, is_read_and_written_the_same) {
  const auto recipe = parse_unverified_recipe(only_packages(made_from()), "r.yaml");
  ASSERT_TRUE(recipe) << recipe.error().message;
  ASSERT_TRUE(recipe->made_from);
  ASSERT_EQ(recipe->made_from->suites.size(), 1U);
  EXPECT_EQ(recipe->made_from->snapshot.hex(), test::digest_a);
  EXPECT_EQ(recipe->made_from->suites[0].suite, "bookworm/updates");
  EXPECT_EQ(format_time(recipe->made_from->suites[0].date), "2026-11-02T03:04:05Z");
  EXPECT_EQ(recipe->made_from->suites[0].signers, std::vector<std::string>{fingerprint});
  const auto text = write_recipe(*recipe);
  const auto again = parse_unverified_recipe(text, "r.yaml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(write_recipe(*again), text);
  EXPECT_THAT(text, HasSubstr("made_from:"));
}

TEST(MadeFrom, each_mistake_has_its_place) {
  const auto refused = [](const std::string& from, const std::string& to, const std::string& part) {
    const auto recipe = parse_unverified_recipe(only_packages(test::replaced(made_from(), from, to)), "r.yaml");
    ASSERT_FALSE(recipe) << to;
    EXPECT_THAT(recipe.error().message, HasSubstr("r.yaml:"));
    EXPECT_THAT(recipe.error().message, HasSubstr(part)) << to;
  };
  refused("snapshot: \"" + test::digest_a + "\"", "snapshot: \"12\"", "sha256");
  refused("  snapshot", "  other", "snapshot");
  refused(fingerprint, "abc", "fingerprints");
  refused("[" + fingerprint + "]", "[]", "fingerprints");
  refused("date: 2026-11-02T03:04:05Z", "date: soon", "a date was expected");
  refused("repository: debian", "repository: debian, more: 1", "more");
}

class Machine : public testing::Test {
 protected:
  [[nodiscard]] Result<TrustedRecipe> parse(const std::string& text, const trust::PrivateKey& key) const {
    trust::Envelope envelope{std::string(trust::recipe_payload_type), text, {}};
    EXPECT_TRUE(trust::add_signature(envelope, key));
    trust::Keyring keyring;
    keyring.keys = {test::trusted(author_, "author", "alice"), test::trusted(refresher_, "refresher", "host")};
    const auto verified = trust::Verifier(keyring, test::at("2026-11-02")).verify(envelope, trust::recipe_payload_type, "R");
    if (!verified) return verified.error();
    return TrustedRecipe::parse(*verified, "R");
  }
  trust::PrivateKey author_ = test::make_key(), refresher_ = test::make_key();
};

TEST_F(Machine, a_refresher_vouches_for_packages_of_a_snapshot) {
  const auto recipe = parse(only_packages(made_from()), refresher_);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_TRUE(recipe->made_by_machine());
  EXPECT_FALSE(parse(only_packages(made_from()), author_)->made_by_machine());
}

TEST_F(Machine, a_refresher_vouches_for_nothing_without_a_snapshot) {
  const auto recipe = parse(only_packages(""), refresher_);
  ASSERT_FALSE(recipe);
  EXPECT_EQ(recipe.error().code, Errc::untrusted);
  EXPECT_THAT(recipe.error().message, HasSubstr("made_from"));
  EXPECT_TRUE(parse(only_packages(""), author_));
}

TEST_F(Machine, a_refresher_vouches_for_no_other_step) {
  for (const auto* step : {"  - file: {path: /etc/x, content: y}\n", "  - service: {name: a.service, state: masked}\n",
                           "  - edit: {path: /etc/ssh/sshd_config, set: {PermitRootLogin: \"yes\"}, lens: sshd}\n"}) {
    const auto text = only_packages(step + made_from());
    const auto recipe = parse(text, refresher_);
    ASSERT_FALSE(recipe) << step;
    EXPECT_THAT(recipe.error().message, HasSubstr("only a refresher signed it"));
    EXPECT_TRUE(parse(text, author_)) << step;
  }
}

}  // namespace
}  // namespace vmpatch::recipe
