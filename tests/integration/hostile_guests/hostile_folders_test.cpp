// Folders that cost time.
#include "integration/hostile_guests/inspect.hpp"

namespace vmpatch::guest::hostile {
namespace {

const std::vector<std::string> ext2{"-t", "ext2", "-b", "4096"};

TEST(HostileFolder, pointers_that_all_lead_to_one_empty_block_cost_nothing) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/boot/loader/entries/a.conf", "");
  const fs::path image = image_of(dir, ext2);
  repeat_block(image, "/boot/loader/entries", folder_block(0, 1, ""), 1000 * 4096);
  const auto found = inspect(dir, image);
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_LT(found.processor_seconds, 1.0);
}

TEST(HostileFolder, larger_than_any_honest_one_is_named) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/etc/ssh/sshd_config", "");
  const fs::path image = image_of(dir, ext2);
  repeat_block(image, "/etc/ssh", folder_block(0, 1, ""), 4'000'000'000);
  expect_refused(inspect(dir, image), "list /etc/ssh: the directory has 3.7 GiB, more than any honest one");
}

TEST(HostileFolder, of_a_million_names_in_the_way_is_passed_through) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path image = image_of(dir, ext2);
  repeat_block(image, "/", folder_block(12, 340, ""), 3'000 * 4096);
  const auto found = inspect(dir, image);
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_LT(found.processor_seconds, 2.0);
}

TEST(HostileFolder, many_of_millions_of_names_end_by_their_processor_time) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
  const fs::path image = image_of(dir, ext2);
  for (const char* folder : {"/", "/etc", "/var", "/var/lib", "/var/lib/dpkg"}) {
    repeat_block(image, folder, folder_block(12, 340, ""), 128 * mib);
  }
  const auto found = inspect(dir, image);
  expect_refused(found, "more than 2 s of processor time");
  EXPECT_LT(found.processor_seconds, 3.0);
}

}  // namespace
}  // namespace vmpatch::guest::hostile
