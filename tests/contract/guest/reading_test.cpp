// What every Guest must do, on the same file system.
#include "contract/guest/guests.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest::test {
namespace {

struct Direct {
  static Guest& guest() { return Guests::get().direct(); }
  static constexpr const char* access = "direct";
};
struct Appliance {
  static Guest& guest() { return Guests::get().appliance(); }
  static constexpr const char* access = "appliance";
};

template <class Adapter>
class ReadingGuest : public testing::Test {
 protected:
  Guest& guest_ = Adapter::guest();
};
using Adapters = testing::Types<Direct, Appliance>;
TYPED_TEST_SUITE(ReadingGuest, Adapters);

TYPED_TEST(ReadingGuest, regular_file_is_read_whole_and_byte_by_byte) {
  EXPECT_EQ(this->guest_.read("/srv/hello", 6).value(), "hello\n");
  EXPECT_EQ(this->guest_.read("/srv/bytes", 100).value(), std::string("\0\xff\x80\n\0", 5));
  EXPECT_EQ(this->guest_.read("/srv/empty", 0).value(), "");
  EXPECT_EQ(this->guest_.read("/srv/large", 64U << 20U)->size(), 3U << 20U);
}

TYPED_TEST(ReadingGuest, file_larger_than_the_limit_is_failed) {
  const auto content = this->guest_.read("/srv/hello", 5);
  ASSERT_FALSE(content.has_value());
  EXPECT_EQ(content.error().code, Errc::failed);
}

TYPED_TEST(ReadingGuest, missing_path_is_not_found) {
  EXPECT_EQ(this->guest_.read("/srv/missing", 5).error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.read("/srv/dangling", 5).error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.stat("/srv/missing").error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.lstat("/nowhere/missing").error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.list("/srv/missing").error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.readlink("/srv/missing").error().code, Errc::not_found);
}

TYPED_TEST(ReadingGuest, what_is_not_a_regular_file_is_not_read) {
  for (const char* path : {"/srv/folder", "/srv/fifo", "/srv/loop"}) {
    const auto content = this->guest_.read(path, 100);
    ASSERT_FALSE(content.has_value()) << path;
    EXPECT_EQ(content.error().code, Errc::failed) << path;
  }
}

TYPED_TEST(ReadingGuest, links_stay_inside_the_guest) {
  EXPECT_EQ(this->guest_.read("/srv/absolute", 100).value(), "hello\n");
  EXPECT_EQ(this->guest_.read("/srv/outside", 100).value(), "root:x:0:0:guest root:/root:/bin/sh\n");
  EXPECT_EQ(this->guest_.readlink("/srv/absolute").value(), "/srv/hello");
}

TYPED_TEST(ReadingGuest, stat_follows_and_lstat_does_not) {
  const FileStat hello = this->guest_.stat("/srv/absolute").value();
  EXPECT_EQ(hello.kind, FileKind::regular);
  EXPECT_EQ(hello.mode, 0641U);
  EXPECT_EQ(hello.size, 6U);
  EXPECT_GT(hello.mtime, 1'600'000'000);
  EXPECT_EQ(hello, this->guest_.lstat("/srv/hello").value());
  EXPECT_EQ(this->guest_.lstat("/srv/absolute")->kind, FileKind::symlink);
  EXPECT_EQ(this->guest_.lstat("/srv/fifo")->kind, FileKind::fifo);
  EXPECT_EQ(this->guest_.stat("/srv/folder")->kind, FileKind::directory);
}

TYPED_TEST(ReadingGuest, folder_is_listed_sorted_with_kinds_and_raw_names) {
  const auto entries = this->guest_.list("/srv");
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  std::vector<std::string> names;
  std::map<std::string, FileKind> kinds;
  for (const DirEntry& entry : *entries) {
    names.push_back(entry.name);
    kinds[entry.name] = entry.kind;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"absolute", "bytes", "dangling", "empty", "fifo", "folder", "hello", "large", "loop",
                                             "odd \xff'name\n", "outside"}));
  EXPECT_EQ(kinds["absolute"], FileKind::symlink);
  EXPECT_EQ(kinds["folder"], FileKind::directory);
  EXPECT_EQ(kinds["fifo"], FileKind::fifo);
  EXPECT_EQ(kinds["hello"], FileKind::regular);
}

TYPED_TEST(ReadingGuest, bind_mounts_of_the_guest_are_followed) {
  EXPECT_EQ(this->guest_.read("/opt/bound/file", 100).value_or(""), "/opt/real/file");
  EXPECT_EQ(this->guest_.read("/opt/it's", 100).value_or(""), "/opt/real/file");
  EXPECT_EQ(this->guest_.read("/opt/bound/hidden", 100).error().code, Errc::not_found);
  EXPECT_EQ(this->guest_.read("/opt/bound/../it's", 100).value_or(""), "/opt/real/file");
}

TYPED_TEST(ReadingGuest, odd_name_is_a_path_like_any_other) {
  EXPECT_EQ(this->guest_.read("/srv/odd \xff'name\n", 100).value(), "odd\n");
}

TYPED_TEST(ReadingGuest, digests_keep_the_order_and_skip_what_is_no_file) {
  const auto digests = this->guest_.digests({"/srv/missing", "/srv/absolute", "/srv/folder", "/srv/empty", "/srv/large"});
  ASSERT_TRUE(digests.has_value()) << digests.error().message;
  ASSERT_EQ(digests->size(), 5U);
  EXPECT_FALSE((*digests)[0].has_value());
  EXPECT_EQ((*digests)[1], sha256("hello\n"));
  EXPECT_FALSE((*digests)[2].has_value());
  EXPECT_EQ((*digests)[3], sha256(""));
  EXPECT_EQ((*digests)[4], sha256(std::string(3U << 20U, 'x')));
  EXPECT_TRUE(this->guest_.digests({})->empty());
}

TYPED_TEST(ReadingGuest, facts_are_the_same_for_every_adapter) {
  const auto facts = read_facts(this->guest_);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->os.id, "debian");
  EXPECT_EQ(facts->package_manager, "dpkg");
  ASSERT_NE(facts->find("dash"), nullptr);
  EXPECT_EQ(facts->identity.machine_id, MachineId::empty);
  EXPECT_TRUE(facts->identity.files.contains("/etc/ssh/ssh_host_ed25519_key"));
  EXPECT_FALSE(facts->hibernated);
  EXPECT_TRUE(facts->access.starts_with(TypeParam::access)) << facts->access;
#if defined(__x86_64__)
  EXPECT_EQ(facts->arch, "x86_64");
#endif
}

TYPED_TEST(ReadingGuest, augeas_value_is_that_of_the_one_node) {
  const std::string path = "/etc/ssh/sshd_config";
  EXPECT_EQ(this->guest_.augeas_get(path, "sshd", "PermitRootLogin").value(), "yes");
  EXPECT_EQ(this->guest_.augeas_get(path, "Sshd.lns", "Match/Settings/X11Forwarding").value(), "no");
  EXPECT_EQ(this->guest_.augeas_get(path, "sshd", "Banner").value(), std::nullopt);
  EXPECT_EQ(this->guest_.augeas_get(path, "sshd", "self::*[Port]").value(), "");
  EXPECT_EQ(this->guest_.augeas_get(path, "sshd", "self::*[Banner]").value(), std::nullopt);
  EXPECT_EQ(this->guest_.augeas_get(path, "sshd", "*").error().code, Errc::failed);
}

TYPED_TEST(ReadingGuest, augeas_says_what_it_cannot_read) {
  EXPECT_EQ(this->guest_.augeas_get("/etc/missing", "sshd", "x").error().code, Errc::not_found);
  const auto lens = this->guest_.augeas_get("/etc/hostname", "no_such_lens", "x");
  ASSERT_FALSE(lens.has_value());
  EXPECT_NE(lens.error().message.find("No_such_lens.lns"), std::string::npos) << lens.error().message;
  const auto content = this->guest_.augeas_get("/etc/passwd", "json", "x");
  ASSERT_FALSE(content.has_value());
  EXPECT_NE(content.error().message.find("Augeas cannot read /etc/passwd"), std::string::npos) << content.error().message;
  EXPECT_EQ(this->guest_.augeas_get("/etc/passwd", "passwd", "root[").error().code, Errc::failed);
}

TEST(DirectGuest, augeas_on_a_large_file_is_left_to_the_appliance) {
  const auto value = Guests::get().direct().augeas_get("/srv/large", "sshd", "Port");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vmpatch::guest::test
