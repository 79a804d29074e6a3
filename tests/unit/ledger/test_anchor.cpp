#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/ledger/anchor.hpp"

namespace vmpatch::ledger {
namespace {

Head head(std::int64_t sequence, const std::string& chain = "ledger") {
  return {chain, sequence, sha256(fmt::format("{} {}", chain, sequence)), *parse_time("2026-11-01T10:00:00Z")};
}

class AnchorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::canonical(fs::temp_directory_path()) / ("vm-patch-anchor-" + random_uuid());
    ASSERT_TRUE(make_dirs(base_ / "state", 0700));
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(base_)); }
  [[nodiscard]] Anchor anchor() const { return Anchor(base_ / "state"); }
  [[nodiscard]] fs::path file() const { return base_ / "state.anchor"; }
  [[nodiscard]] std::vector<Head> heads() const {
    const auto read = anchor().read();
    EXPECT_TRUE(read) << (read ? "" : read.error().message);
    return read ? *read : std::vector<Head>();
  }
  fs::path base_;
};

TEST(AnchorLine, is_the_documented_format) {
  const std::string line = "vm-patch/anchor/v1 gate 7 " + sha256("gate 7").hex() + " 2026-11-01T10:00:00Z";
  EXPECT_EQ(format_head(head(7, "gate")), line + " " + sha256(line).hex().substr(0, 16));
}

TEST(AnchorLine, highest_sequence_of_each_chain_counts_wherever_it_stands) {
  const std::string text = format_head(head(9)) + "\n" + format_head(head(10)) + "\n" + format_head(head(3, "gate")) + "\n" +
                           format_head(head(8)) + "\n";
  auto heads = parse_heads(text);
  std::ranges::sort(heads, {}, &Head::chain);
  EXPECT_EQ(heads, (std::vector<Head>{head(3, "gate"), head(10)}));
}

TEST(AnchorLine, what_is_cut_off_or_changed_anywhere_is_passed_over) {
  const std::string good = format_head(head(9));
  const std::string last = format_head(head(10));
  for (std::size_t size = 0; size < last.size(); ++size) {
    EXPECT_EQ(parse_heads(good + "\n" + last.substr(0, size)), std::vector<Head>{head(9)}) << size;
  }
  for (std::size_t at = 0; at < last.size(); ++at) {
    std::string other = last;
    other[at] = static_cast<char>(other[at] ^ 1);
    EXPECT_EQ(parse_heads(good + "\n" + other + "\n"), std::vector<Head>{head(9)}) << at;
  }
  EXPECT_EQ(parse_heads(std::string(4096, '\0') + "\n" + good), std::vector<Head>{head(9)});
  EXPECT_TRUE(parse_heads("").empty());
}

TEST_F(AnchorTest, lies_beside_the_state_directory_by_whatever_path_that_is_named) {
  EXPECT_EQ(anchor().file(), file());
  EXPECT_EQ(Anchor(base_ / "state/").file(), file());
  EXPECT_EQ(Anchor(base_ / "x/../state").file(), file());
  fs::create_directory_symlink(base_ / "state", base_ / "other");
  EXPECT_EQ(Anchor(base_ / "other").file(), file());
  EXPECT_EQ(Anchor(base_ / "not/there").file(), base_ / "not/there.anchor");
  // Where it cannot be told what a link leads to, it is never just anywhere.
  fs::create_symlink("loop", base_ / "loop");
  EXPECT_EQ(Anchor(base_ / "loop").file(), base_ / "loop.anchor");
}

TEST_F(AnchorTest, missing_file_is_not_found_and_nothing_but_begin_makes_it) {
  EXPECT_EQ(anchor().read().error().code, Errc::not_found);
  EXPECT_EQ(anchor().append(head(1)).error().code, Errc::not_found);
  EXPECT_FALSE(fs::exists(file()));
  ASSERT_TRUE(anchor().begin("ledger", *parse_time("2026-11-01T10:00:00Z")));
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(heads().at(0).sequence, 0);
  ASSERT_TRUE(anchor().append(head(1)));
  ASSERT_TRUE(anchor().begin("gate", *parse_time("2026-11-01T10:00:00Z")));
  EXPECT_EQ(heads().size(), 2U);
  EXPECT_EQ(heads().at(1), head(1));
}

TEST_F(AnchorTest, line_after_a_torn_one_stands_for_itself) {
  ASSERT_TRUE(write_file_atomic(file(), format_head(head(1)) + "\n" + format_head(head(2)).substr(0, 50), 0600));
  ASSERT_TRUE(anchor().append(head(3)));
  EXPECT_EQ(heads(), std::vector<Head>{head(3)});
}

TEST_F(AnchorTest, file_stays_small_and_keeps_the_head_of_every_chain) {
  ASSERT_TRUE(anchor().begin("ledger", {}));
  ASSERT_TRUE(anchor().append(head(5, "gate")));
  for (int i = 1; i <= 2000; ++i) ASSERT_TRUE(anchor().append(head(i)));
  EXPECT_LT(fs::file_size(file()), 70U << 10U);
  auto all = heads();
  std::ranges::sort(all, {}, &Head::chain);
  EXPECT_EQ(all, (std::vector<Head>{head(5, "gate"), head(2000)}));
}

/// As with something mounted on it, or chattr +a: what is there is only ever added to. Root may write into a folder of mode 0500, so a
/// mount is what holds here.
class GrowingAnchorTest : public AnchorTest {
 protected:
  void SetUp() override {
    AnchorTest::SetUp();
    ASSERT_TRUE(anchor().begin("ledger", {}));
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(::mount(file().c_str(), file().c_str(), nullptr, MS_BIND, nullptr), 0);
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount2(file().c_str(), MNT_DETACH), 0);
    }
    AnchorTest::TearDown();
  }
  bool mounted_ = false;
};

TEST_F(GrowingAnchorTest, large_one_is_read_by_its_end_says_so_and_can_be_begun_anew) {
  ASSERT_TRUE(anchor().append(head(5, "gate")));
  for (int i = 1; i <= 3000; ++i) ASSERT_TRUE(anchor().append(head(i)));
  EXPECT_GT(fs::file_size(file()), 256U << 10U);
  // Both stand in its end, though one was told only once.
  const std::string text = *read_file(file());
  EXPECT_EQ(parse_heads(std::string_view(text).substr(text.size() - (64U << 10U))).size(), 2U);
  ASSERT_EQ(anchor().complaints().size(), 1U);
  EXPECT_NE(anchor().complaints().front().find("it only grows"), std::string::npos);
  fs::resize_file(file(), 40U << 20U);
  ASSERT_TRUE(anchor().append(head(3001)));
  EXPECT_EQ(heads().size(), 2U) << "no size of it is refused";
  ASSERT_TRUE(anchor().replace({head(7)}));
  EXPECT_EQ(heads(), std::vector<Head>{head(7)}) << "also downwards, in its place";
  EXPECT_TRUE(anchor().complaints().empty());
}

/// Who may only append (a file system that is append-only) must not hide the highest row behind many older ones.
TEST_F(AnchorTest, higher_head_further_up_is_found_by_who_reads_all_of_it) {
  std::string text = format_head(head(9)) + "\n" + format_head(head(8, "gate")) + "\n";
  for (int i = 0; i < 2000; ++i) text += format_head(head(3)) + "\n" + format_head(head(3, "gate")) + "\n";
  ASSERT_TRUE(write_file_atomic(file(), text, 0600));
  EXPECT_EQ(anchor().read()->at(0).sequence, 3);
  auto all = *anchor().read_all();
  std::ranges::sort(all, {}, &Head::chain);
  EXPECT_EQ(all, (std::vector<Head>{head(8, "gate"), head(9)}));
}

TEST_F(AnchorTest, head_that_was_said_once_long_ago_is_found) {
  std::string text = format_head(head(1, "gate")) + "\n";
  for (int i = 1; i <= 4000; ++i) text += format_head(head(i)) + "\n";
  ASSERT_TRUE(write_file_atomic(file(), text, 0600));
  auto all = heads();
  std::ranges::sort(all, {}, &Head::chain);
  EXPECT_EQ(all, (std::vector<Head>{head(1, "gate"), head(4000)}));
}

TEST_F(AnchorTest, what_cannot_be_begun_anew_names_the_way) {
  fs::create_directory(file());
  const auto replaced = anchor().replace({head(1)});
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Errc::refused);
  EXPECT_NE(replaced.error().message.find("move away what is there"), std::string::npos) << replaced.error().message;
  EXPECT_NE(anchor().read().error().message.find("move it away, and run `vm-patch audit accept`"), std::string::npos);
  fs::remove(file());
  EXPECT_NE(anchor().complaints().at(0).find("cannot be written"), std::string::npos);
}

TEST_F(AnchorTest, file_that_others_may_write_or_that_is_none_is_untrusted) {
  ASSERT_TRUE(anchor().begin("ledger", {}));
  ASSERT_EQ(::chmod(file().c_str(), 0620), 0);
  EXPECT_EQ(anchor().read().error().code, Errc::untrusted);
  fs::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_EQ(anchor().read().error().code, Errc::untrusted);
  fs::remove(file());
  fs::create_symlink("state.anchor", file());
  EXPECT_EQ(anchor().read().error().code, Errc::untrusted);
  fs::remove(file());
  fs::create_directory(file());
  EXPECT_EQ(anchor().read().error().code, Errc::untrusted);
}

TEST_F(AnchorTest, moved_anchor_is_a_link_and_keeps_its_heads) {
  ASSERT_TRUE(anchor().begin("ledger", {}));
  ASSERT_TRUE(anchor().append(head(4)));
  fs::create_directory(base_ / "worm");
  const auto moved = anchor().move_to(base_ / "worm/heads");
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_TRUE(*moved);
  EXPECT_EQ(fs::read_symlink(file()), base_ / "worm/heads");
  EXPECT_FALSE(*anchor().move_to(base_ / "worm/heads"));
  ASSERT_TRUE(anchor().append(head(5)));
  EXPECT_EQ(heads(), std::vector<Head>{head(5)});
  ASSERT_TRUE(anchor().replace({head(6)}));
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_EQ(heads(), std::vector<Head>{head(6)});
}

TEST_F(AnchorTest, anchor_of_other_records_is_never_taken_over) {
  ASSERT_TRUE(anchor().begin("ledger", {}));
  ASSERT_TRUE(create_file(base_ / "theirs", format_head(head(900)) + "\n", 0600));
  EXPECT_EQ(anchor().move_to(base_ / "theirs").error().code, Errc::refused);
  EXPECT_FALSE(fs::is_symlink(file()));
  EXPECT_EQ(heads().at(0).sequence, 0);
  fs::remove(file());
  EXPECT_EQ(anchor().move_to(base_ / "theirs").error().code, Errc::refused);
  EXPECT_FALSE(fs::is_symlink(file()));
}

TEST_F(AnchorTest, place_that_is_named_before_there_is_an_anchor_is_where_it_begins) {
  ASSERT_TRUE(anchor().move_to(base_ / "heads"));
  ASSERT_TRUE(anchor().begin("ledger", {}));
  EXPECT_TRUE(fs::is_regular_file(base_ / "heads"));
  EXPECT_EQ(heads().size(), 1U);
}

}  // namespace
}  // namespace vmpatch::ledger
