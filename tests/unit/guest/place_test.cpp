#include "vmpatch/guest/place.hpp"

#include <gtest/gtest.h>

#include "support/fake_guest.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint32_t alice = 1000;

class PlaceTest : public testing::Test {
 protected:
  PlaceTest() {
    guest.add_file("/etc/shadow", "secret", 0640);
    guest.add_file("/usr/lib/app/run", "x");
    guest.add_link("/lib", "usr/lib");
    guest.add_link("/srv/www", "/usr/lib/app");
    guest.add_dir("/home/alice", 0700, alice);
    guest.add_dir("/home/alice/real", 0755, alice);
    guest.add_link("/home/alice/.profile", "/etc/shadow", alice);
    guest.add_link("/home/alice/app", "/usr/lib", alice);
    guest.add_dir("/tmp", 01777);
    guest.add_dir("/tmp/roots", 0755);
    guest.add_link("/tmp/x", "/etc", alice);
    guest.add_dir("/shared", 0775);
  }
  std::string path_of(const std::string& path, LastLink last = LastLink::keep) {
    const auto place = find_place(guest, path, last);
    return place ? place->path : std::string(to_string(place.error().code)) + ": " + place.error().message;
  }
  void expect_refused(const std::string& path, const std::string& named, LastLink last = LastLink::keep) {
    const auto text = path_of(path, last);
    EXPECT_TRUE(text.starts_with("refused: " + named + " is a symbolic link that others than root control")) << path << ": " << text;
  }
  FakeGuest guest;
};

TEST_F(PlaceTest, folders_and_links_of_root_are_walked) {
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("/etc/shadow"), "/etc/shadow");
  EXPECT_EQ(path_of("/lib/app/run"), "/usr/lib/app/run");
  EXPECT_EQ(path_of("/srv/www/run"), "/usr/lib/app/run");
  EXPECT_EQ(path_of("/srv/www"), "/srv/www");
  EXPECT_EQ(path_of("/srv/www", LastLink::follow), "/usr/lib/app");
  EXPECT_EQ(find_place(guest, "/srv/www")->stat->kind, FileKind::symlink);
  guest.add_link("/usr/lib/up", "../../../../etc/./shadow");
  EXPECT_EQ(path_of("/usr/lib/up", LastLink::follow), "/etc/shadow");
}

TEST_F(PlaceTest, what_is_missing_keeps_its_names_behind_the_last_folder) {
  const auto place = find_place(guest, "/lib/new/folder/file");
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->path, "/usr/lib/new/folder/file");
  EXPECT_FALSE(place->stat);
  EXPECT_EQ(path_of("/etc/shadow/below"), "/etc/shadow/below");
  guest.add_link("/odd", "etc/none/../../home");
  EXPECT_TRUE(path_of("/odd/x").starts_with("failed: "));
  guest.add_link("/loop", "loop");
  EXPECT_TRUE(path_of("/loop/x").starts_with("failed: /loop/x: more than 40"));
  EXPECT_TRUE(path_of("etc").starts_with("failed: "));
}

TEST_F(PlaceTest, real_folders_of_other_accounts_are_walked) {
  EXPECT_EQ(path_of("/home/alice/real/file"), "/home/alice/real/file");
  EXPECT_EQ(path_of("/tmp/new"), "/tmp/new");
}

TEST_F(PlaceTest, a_link_that_another_account_made_is_refused_and_named) {
  expect_refused("/home/alice/app/x", "/home/alice/app");
  expect_refused("/home/alice/.profile", "/home/alice/.profile", LastLink::follow);
  expect_refused("/tmp/x/cron.d/job", "/tmp/x");
  // The link itself can be replaced or removed.
  EXPECT_EQ(path_of("/home/alice/.profile"), "/home/alice/.profile");
}

TEST_F(PlaceTest, a_link_of_root_in_a_folder_that_others_write_is_refused) {
  // protected_hardlinks=0 lets anybody make another name of it; and the owner of a folder renames what is in it.
  guest.add_link("/home/alice/of-root", "/etc");
  guest.add_link("/home/alice/real/of-root", "/etc");
  guest.add_dir("/home/alice/roots", 0755, 0);
  guest.add_link("/home/alice/roots/deep", "/etc");
  guest.add_link("/tmp/of-root", "/etc");
  guest.add_link("/shared/of-root", "/etc");
  for (const char* folder : {"/home/alice", "/home/alice/real", "/tmp", "/shared"}) {
    expect_refused(std::string(folder) + "/of-root/x", std::string(folder) + "/of-root");
  }
  expect_refused("/home/alice/roots/deep/x", "/home/alice/roots/deep");
  // Nobody but root renames root's folder in a sticky one.
  guest.add_link("/tmp/roots/link", "/etc");
  EXPECT_EQ(path_of("/tmp/roots/link/x"), "/etc/x");
}

TEST_F(PlaceTest, a_link_of_root_that_leads_to_an_account_s_folder_does_not_make_its_links_root_s) {
  guest.add_link("/srv/site", "/home/alice");
  EXPECT_EQ(path_of("/srv/site/real/x"), "/home/alice/real/x");
  expect_refused("/srv/site/app/x", "/home/alice/app");
}

TEST_F(PlaceTest, ways_are_walked_once) {
  Places places(guest);
  EXPECT_EQ(places.find("/lib/app/a")->path, "/usr/lib/app/a");
  EXPECT_EQ(places.find("/lib/app/b")->path, "/usr/lib/app/b");
  EXPECT_EQ(places.find("/home/alice/app/x").error().code, Errc::refused);
  EXPECT_EQ(places.find("/home/alice/app/x").error().code, Errc::refused);
}

}  // namespace
}  // namespace vmpatch::guest
