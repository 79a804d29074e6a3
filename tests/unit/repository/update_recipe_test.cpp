#include "vmpatch/repository/update_recipe.hpp"

#include <gmock/gmock.h>

#include "suite_sample.hpp"

namespace vmpatch::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Time now = parse_time("2026-11-30T12:00:00Z").value();

Change change(const std::string& name, const std::string& from, const std::string& to) {
  Change made;
  made.name = name;
  made.arch = "amd64";
  made.from = from;
  made.to = to;
  made.security = true;
  made.file = "pool/" + name + "_" + to + "_amd64.deb";
  made.sha256 = sha256(name + to);
  made.size = 100;
  return made;
}

class UpdateRecipe : public testing::Test {
 protected:
  UpdateRecipe() {
    facts_.os = {"debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm"};
    facts_.arch = "x86_64";
    snapshot_.suites = {test::sample_suite()};
    add(change("app", "1", "2"));
    add(change("lib", "", "2"));
  }
  void add(Change made) {
    if (!made.to.empty()) update_.operations.insert(update_.operations.begin(), {Operation::Kind::unpack, made.name, made.arch});
    update_.changes.push_back(std::move(made));
  }
  [[nodiscard]] Result<recipe::Recipe> make() const { return make_update_recipe(update_, snapshot_, facts_, now); }
  void expect_refused(const std::string& part) const {
    const auto recipe = make();
    ASSERT_FALSE(recipe) << part;
    EXPECT_EQ(recipe.error().code, Errc::refused);
    EXPECT_THAT(recipe.error().message, HasSubstr(part));
  }

  guest::Facts facts_;
  Snapshot snapshot_;
  Update update_;
};

TEST_F(UpdateRecipe, it_makes_exactly_the_changes_in_the_resolvers_order_and_says_what_it_was_made_from) {
  const auto recipe = make();
  ASSERT_TRUE(recipe) << recipe.error().message;
  ASSERT_EQ(recipe->steps.size(), 1U);
  EXPECT_THAT(std::get<recipe::step::Packages>(recipe->steps[0]).install, ElementsAre("lib_2_amd64.deb", "app_2_amd64.deb"));
  ASSERT_TRUE(recipe->made_from);
  EXPECT_EQ(recipe->made_from->snapshot, snapshot_.digest());
  ASSERT_EQ(recipe->made_from->suites.size(), 1U);
  EXPECT_EQ(recipe->made_from->suites[0].signers.size(), 2U);
  EXPECT_EQ(recipe->verify.size(), 2U);
  EXPECT_EQ(recipe->applies_to.packages.size(), 1U) << "what is new does not tell whom it is for";
  // As any other recipe.
  const auto text = recipe::write_recipe(*recipe);
  const auto again = recipe::parse_unverified_recipe(text, "r");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(recipe::write_recipe(*again), text);
}

TEST_F(UpdateRecipe, its_id_is_that_of_its_content) {
  const auto one = make(), same = make();
  ASSERT_TRUE(one && same);
  EXPECT_EQ(one->id, same->id);
  EXPECT_THAT(one->id, HasSubstr("refresh.debian-12."));
  update_.changes[0].sha256 = sha256("other");
  EXPECT_NE(make()->id, one->id);
  const auto later = make_update_recipe(update_, snapshot_, facts_, now + Seconds(1));
  EXPECT_NE(later->id, make()->id) << "another recipe of one id and version would be refused for ever";
}

TEST_F(UpdateRecipe, what_a_human_decides_is_refused_with_the_names) {
  add(change("gone", "1", ""));
  expect_refused("removes 1 (gone)");
  update_.changes.pop_back();
  update_.changes[0].downgrade = true;
  expect_refused("1 packages older (app)");
}

TEST_F(UpdateRecipe, two_files_of_one_name_and_a_change_without_its_unpacking_are_refused) {
  Change other = change("other", "1", "2");
  other.file = "pool/x/app_2_amd64.deb";
  add(other);
  expect_refused("files of one name, app_2_amd64.deb");
  update_.changes.pop_back();
  update_.operations.clear();
  expect_refused("architecture");
}

TEST_F(UpdateRecipe, names_of_a_guest_make_no_invalid_recipe) {
  for (const std::string& name : {std::string(200, 'x'), std::string(79, 'x') + "\u00e9\u00e9", std::string(39, 'y') + "\u4e2d", std::string("a\nb: c\x1b[2J"), std::string("\xff\xfe")}) {
    facts_.os.pretty_name = name;
    const auto recipe = make();
    ASSERT_TRUE(recipe);
    EXPECT_TRUE(recipe::parse_unverified_recipe(recipe::write_recipe(*recipe), "r")) << name;
  }
}

TEST_F(UpdateRecipe, nothing_to_do_is_no_recipe) {
  update_ = {};
  EXPECT_EQ(make().error().code, Errc::usage);
}

}  // namespace
}  // namespace vmpatch::repository
