// What is asked about files, with hostile accounts in the guest.
#include "engine/file_questions.hpp"

#include "engine/selinux.hpp"
#include "engine/unmet.hpp"
#include "unit/engine/proof_fixture.hpp"

namespace vmpatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t alice = 1000;

class FileQuestionsTest : public testing::Test {
 protected:
  FileQuestionsTest() {
    guest.add_file("/usr/local/tool", "good", 0755);
    guest.add_file("/etc/shadow", "secret", 0640);
    guest.add_dir("/home/alice", 0755, alice);
    guest.add_link("/home/alice/app", "/usr/local", alice);
    guest.add_link("/srv/www", "/usr/local");
  }
  static recipe::check::File file(const std::string& path, std::optional<std::string> content = "good") {
    return {path, false, std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::move(content)};
  }
  static recipe::step::File removal(const std::string& path, bool folder = false) {
    return {path, std::nullopt, std::nullopt, true, std::nullopt, std::nullopt, std::nullopt, folder};
  }
  guest::FakeGuest guest;
  Findings findings;
  FileQuestions questions{guest, findings};
};

TEST_F(FileQuestionsTest, right_content_behind_a_link_of_another_account_does_not_hold) {
  ASSERT_TRUE(questions.ask_written(file("/home/alice/app/tool")));
  ASSERT_TRUE(questions.ask(file("/home/alice/app/tool")));
  EXPECT_THAT(findings.held, IsEmpty());
  EXPECT_THAT(findings.unmet, SizeIs(2));
  EXPECT_EQ(findings.refused, findings.unmet);
  EXPECT_THAT(findings.refused[0], HasSubstr("/home/alice/app is a symbolic link that others than root control"));
}

TEST_F(FileQuestionsTest, a_step_s_file_is_no_link_and_a_check_follows_those_of_root) {
  guest.add_link("/etc/tool", "/usr/local/tool");
  ASSERT_TRUE(questions.ask_written(file("/etc/tool")));
  EXPECT_THAT(findings.unmet, ElementsAre("/etc/tool is a symbolic link, wanted a file"));
  EXPECT_THAT(findings.refused, IsEmpty());
  ASSERT_TRUE(questions.ask(file("/etc/tool")));
  ASSERT_TRUE(questions.ask_written(file("/srv/www/tool")));
  EXPECT_THAT(findings.held, SizeIs(2));
  ASSERT_TRUE(questions.ask_written(file("/usr/local")));
  EXPECT_THAT(findings.refused, ElementsAre(HasSubstr("/usr/local is a folder, wanted a file")));
}

TEST_F(FileQuestionsTest, a_file_is_removed_at_its_place_and_a_folder_only_by_name) {
  guest.add_file("/opt/old/a", "1");
  guest.add_file("/opt/old/deep/b", "2");
  guest.add_link("/opt/old/c", "/etc/shadow");
  for (const auto& step : {removal("/opt/none"), removal("/opt/none", true)}) ASSERT_TRUE(questions.ask_removed(step));
  EXPECT_THAT(findings.held, SizeIs(2));
  ASSERT_TRUE(questions.ask_removed(removal("/opt/old")));
  EXPECT_THAT(findings.refused, ElementsAre(HasSubstr("/opt/old is a folder, and the recipe would remove a file")));
  ASSERT_TRUE(questions.ask_removed(removal("/srv/www", true)));
  EXPECT_THAT(findings.refused.back(), HasSubstr("/srv/www is a symbolic link, and the recipe would remove a folder"));
  ASSERT_TRUE(questions.ask_removed(removal("/opt/old", true)));
  ASSERT_TRUE(questions.ask_removed(removal("/srv/www")));
  EXPECT_THAT(findings.removals, ElementsAre("folder /opt/old with 3 files in 2 folders"));
  EXPECT_THAT(findings.refused, SizeIs(2));
  EXPECT_EQ(findings.unmet.back(), "/srv/www is there");
  ASSERT_TRUE(questions.ask_removed(removal("/home/alice/app/tool")));
  EXPECT_THAT(findings.refused.back(), HasSubstr("/home/alice/app is a symbolic link"));
}

TEST_F(FileQuestionsTest, members_of_an_archive_are_not_looked_for_behind_such_a_link) {
  const recipe::step::Unarchive step{"app.tar", "/home/alice"};
  ArchiveEntry member{"app/tool", ArchiveEntry::Kind::regular, sha256("good"), "", 0755};
  ASSERT_TRUE(questions.ask_unpacked(step, {member}));
  EXPECT_THAT(findings.refused, ElementsAre(HasSubstr("/home/alice/app is a symbolic link")));
  member.path = "tool";
  ASSERT_TRUE(questions.ask_unpacked({"app.tar", "/srv/www"}, {member}));
  EXPECT_THAT(findings.held, ElementsAre("/srv/www: 1 of 1 members of app.tar are in place"));
  // A link that leads to the right content is not the file.
  guest.add_link("/usr/local/other", "tool");
  member.path = "other";
  ASSERT_TRUE(questions.ask_unpacked({"app.tar", "/srv/www"}, {member}));
  EXPECT_THAT(findings.unmet.back(), HasSubstr("not /srv/www/other"));
}

TEST_F(FileQuestionsTest, owners_in_an_archive_are_compared_and_root_s_link_to_a_folder_is_that_folder) {
  ArchiveEntry member{"tool", ArchiveEntry::Kind::regular, sha256("good"), "", 0755, 7, 8};
  ASSERT_TRUE(questions.ask_unpacked({"app.tar", "/usr/local"}, {member}));
  EXPECT_THAT(findings.unmet, ElementsAre(HasSubstr("not /usr/local/tool")));
  const ArchiveEntry folder{"www", ArchiveEntry::Kind::directory, {}, "", 0700, 7, 8};
  ASSERT_TRUE(questions.ask_unpacked({"app.tar", "/srv"}, {folder}));
  EXPECT_THAT(findings.held, ElementsAre("/srv: 1 of 1 members of app.tar are in place"));
  const ArchiveEntry hers{"app", ArchiveEntry::Kind::directory, {}, "", 0755, 0, 0};
  ASSERT_TRUE(questions.ask_unpacked({"app.tar", "/home/alice"}, {hers}));
  EXPECT_THAT(findings.refused, ElementsAre(HasSubstr("/home/alice/app is a symbolic link")));
}

class StepOrderTest : public test::ProofTest {
 protected:
  StepOrderTest() { recipe_.verify.emplace_back(recipe::check::File{"/etc/none", true, {}, {}, {}, {}, {}}); }
  void write(const std::string& path) { recipe_.steps.emplace_back(recipe::step::File{path, "x", {}, false, {}, {}, {}, false}); }
  void remove(const std::string& path, bool folder = false) { recipe_.steps.emplace_back(recipe::step::File{path, {}, {}, true, {}, {}, {}, folder}); }
  Findings ask() {
    const auto asked = ask_steps_and_checks(job(), payloads_, guest_, facts_, {});
    EXPECT_TRUE(asked) << asked.error().message;
    return asked ? *asked : Findings();
  }
};

TEST_F(StepOrderTest, what_an_earlier_step_takes_away_is_no_refusal_and_is_told) {
  guest_.add_file("/srv/tree/old", "1");
  remove("/srv/tree", true);
  write("/srv/tree");
  guest_.add_dir("/home/alice", 0755, alice);
  guest_.add_link("/home/alice/way", "/etc", alice);
  remove("/home/alice/way");
  write("/home/alice/way/conf");
  const auto found = ask();
  EXPECT_THAT(found.refused, IsEmpty());
  EXPECT_THAT(found.removals, ElementsAre("folder /srv/tree with 1 file in 1 folder"));
  EXPECT_FALSE(found.unmet.empty());
}

TEST_F(StepOrderTest, without_an_earlier_step_it_is_a_refusal) {
  guest_.add_file("/srv/tree/old", "1");
  write("/srv/tree");
  remove("/srv/tree", true);
  write("/srv/other");
  EXPECT_THAT(ask().refused, IsEmpty());  // the last step on that path is the one that removes it
  recipe_.steps.clear();
  write("/srv/tree");
  EXPECT_THAT(ask().refused, SizeIs(1));
}

TEST_F(StepOrderTest, a_folder_in_the_place_of_a_file_is_refused_unless_the_recipe_says_that_it_is_one) {
  guest_.add_file("/srv/tree/old", "1");
  remove("/srv/tree");
  write("/srv/tree");
  EXPECT_THAT(ask().refused, ElementsAre(HasSubstr("/srv/tree is a folder, and the recipe would remove a file")));
  // What becomes a folder may be one already.
  recipe_.steps.clear();
  remove("/srv/tree");
  write("/srv/tree/new");
  EXPECT_THAT(ask().refused, IsEmpty());
}

TEST_F(StepOrderTest, a_folder_that_is_replaced_holds_when_its_new_content_is_there) {
  remove("/srv/tree", true);
  write("/srv/tree/new");
  guest_.add_file("/srv/tree/new", "x");
  EXPECT_THAT(ask().unmet, IsEmpty());
}

class FirstbootTest : public test::ProofTest {};

TEST_F(FirstbootTest, a_script_that_others_marked_as_run_does_not_count) {
  const std::string script = "#!/bin/sh\n";
  const auto payload = deliver("finish.sh", script);
  recipe_.steps.emplace_back(recipe::step::Firstboot{payload.name});
  recipe_.verify.emplace_back(recipe::check::File{"/etc/none", true, {}, {}, {}, {}, {}});
  guest_.add_file("/var/lib/vm-patch/firstboot.d/finish.sh.done", script);
  const auto asked = job();
  const PlacedScripts nothing;
  const PlacedScripts placed{{payload.name, payload.sha256}};
  const PlacedScripts elsewhere{{"other.sh", payload.sha256}};
  const auto planted = ask_steps_and_checks(asked, payloads_, guest_, facts_, nothing);
  ASSERT_TRUE(planted) << planted.error().message;
  EXPECT_THAT(planted->unmet.front(), HasSubstr("finish.sh.done was left by no run of this machine"));
  const auto another = ask_steps_and_checks(asked, payloads_, guest_, facts_, elsewhere);
  ASSERT_TRUE(another) << another.error().message;
  EXPECT_FALSE(another->unmet.empty());
  const auto honest = ask_steps_and_checks(asked, payloads_, guest_, facts_, placed);
  ASSERT_TRUE(honest) << honest.error().message;
  EXPECT_THAT(honest->unmet, IsEmpty());
}

TEST(SeLinux, the_first_line_that_is_understood_counts) {
  EXPECT_FALSE(is_on(""));
  EXPECT_FALSE(is_on("# SELINUX=enforcing\nSELINUXTYPE=targeted\n"));
  EXPECT_FALSE(is_on("SELINUX=disabled\nSELINUX=enforcing\n"));
  EXPECT_TRUE(is_on("SELINUX=enforcing\nSELINUX=disabled\n"));
  EXPECT_TRUE(is_on("SELINUX=what\nSELINUX= Permissive # for now\n"));
}

}  // namespace
}  // namespace vmpatch::engine
