#include <gtest/gtest.h>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {
namespace {

TEST(OsRelease, debian_is_read) {
  const auto os = parse_os_release(
      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"
      "VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n");
  ASSERT_TRUE(os.has_value());
  EXPECT_EQ(os->id, "debian");
  EXPECT_EQ(os->version_id, "12");
  EXPECT_EQ(os->codename, "bookworm");
  EXPECT_EQ(os->pretty_name, "Debian GNU/Linux 12 (bookworm)");
}

TEST(OsRelease, systems_it_is_like_are_kept) {
  EXPECT_EQ(parse_os_release("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n")->id_like, "rhel centos fedora");
  EXPECT_EQ(parse_os_release("ID=debian\n")->id_like, "");
}

TEST(OsRelease, codename_comes_from_version_when_it_has_no_field_of_its_own) {
  EXPECT_EQ(parse_os_release("ID=debian\nVERSION=\"8 (jessie)\"\n")->codename, "jessie");
  EXPECT_EQ(parse_os_release("ID=x\nVERSION=\"8 (two words)\"\n")->codename, "");
}

TEST(OsRelease, quotes_escapes_comments_and_garbage_are_understood) {
  const auto os = parse_os_release("# comment\n\ngarbage\nID='al\"pine'\nPRETTY_NAME=\"a \\\"b\\\" \\$c\" # x\nVERSION_ID=3.19 # y\r\n");
  ASSERT_TRUE(os.has_value());
  EXPECT_EQ(os->id, "al\"pine");
  EXPECT_EQ(os->pretty_name, "a \"b\" $c");
  EXPECT_EQ(os->version_id, "3.19");
}

TEST(OsRelease, empty_file_gives_the_defaults_of_the_standard) {
  EXPECT_EQ(parse_os_release("")->id, "linux");
  EXPECT_EQ(parse_os_release("")->pretty_name, "Linux");
}

TEST(OsRelease, overlong_value_is_failed) {
  EXPECT_FALSE(parse_os_release("ID=" + std::string(2000, 'x')).has_value());
}

TEST(Fstab, usual_shapes_are_read) {
  const auto mounts = parse_fstab(
      "# /etc/fstab\nUUID=1-2  /  ext4  errors=remount-ro 0 1\n\n\tLABEL=boot\t/boot\text2\tdefaults\t0\t2\n"
      "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n/dev/vdb1 /with\\040space\n");
  ASSERT_TRUE(mounts.has_value());
  ASSERT_EQ(mounts->size(), 4U);
  EXPECT_EQ((*mounts)[0].what, "UUID=1-2");
  EXPECT_EQ((*mounts)[1].where, "/boot");
  EXPECT_EQ((*mounts)[2].options, "user,noauto");
  EXPECT_EQ((*mounts)[3].where, "/with space");
  EXPECT_EQ((*mounts)[3].type, "auto");
  EXPECT_EQ((*mounts)[3].options, "defaults");
}

TEST(Fstab, line_with_one_field_is_failed_with_its_number) {
  const auto mounts = parse_fstab("\n/dev/sda1\n");
  ASSERT_FALSE(mounts.has_value());
  EXPECT_NE(mounts.error().message.find("line 2"), std::string::npos);
}

TEST(Fstab, nul_byte_and_endless_tables_are_failed) {
  EXPECT_FALSE(parse_fstab(std::string("/dev/sda1 /a\0b ext4\n", 20)).has_value());
  EXPECT_FALSE(parse_fstab("/dev/sda1 /a\\000b ext4\n").has_value());
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "/dev/sda1 /x ext4\n";
  EXPECT_FALSE(parse_fstab(many).has_value());
}

}  // namespace
}  // namespace vmpatch::guest
