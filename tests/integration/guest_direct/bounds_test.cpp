// What a forged file system may cost.
#include <ctime>

#include "guest/direct/deadline.hpp"
#include "integration/guest_direct/guest_images.hpp"

namespace vmpatch::guest::direct::test {
namespace {

constexpr std::uint64_t largest_folder = 128U << 20U;

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void burn(double seconds) {
  for (const double end = processor_seconds() + seconds; processor_seconds() < end;) {
  }
}

bool holds(const Deadline& deadline) {
  for (int i = 0; i < 16; ++i) {  // not each of them looks at the processor time
    if (!deadline.check()) return false;
  }
  return true;
}

TEST(Deadline, processor_time_counts_over_all_operations_and_only_inside_of_them) {
  Deadline deadline;
  burn(1.2);
  for (int i = 0; i < 2; ++i) {
    const Deadline::Operation timed(deadline);
    EXPECT_TRUE(holds(deadline));
    burn(1.1);
  }
  const Deadline::Operation timed(deadline);
  const auto late = deadline.check();
  ASSERT_FALSE(holds(deadline));
  EXPECT_TRUE(late.has_value() || late.error().code == Errc::timeout);
}

TEST(Deadline, time_for_content_that_is_handed_over_does_not_count) {
  Deadline deadline;
  const Deadline::Operation timed(deadline);
  const auto before = deadline.used();
  burn(2.2);
  deadline.forgive_content(before, 100U << 20U);
  EXPECT_TRUE(holds(deadline));
  EXPECT_LT(deadline.used(), std::chrono::milliseconds(100));
  const auto again = deadline.used();
  burn(0.2);
  deadline.forgive_content(again, 1U << 20U);
  EXPECT_GT(deadline.used(), std::chrono::milliseconds(100));
}

/// A root folder of eleven million names behind the honest ones.
class MillionsOfNames : public testing::Test {
 protected:
  MillionsOfNames() {
    write_root(dir_, "root");
    const fs::path disk = make_file_system(dir_, "disk", dir_ / "root", {"-t", "ext2", "-b", "4096"});
    repeat_block(disk, "/", folder_block(12, 340, ""), largest_folder);
    machine_ = std::make_unique<Machine>(dir_, std::vector{disk});
  }
  Guest& guest() { return **machine_->guest; }
  TempDir dir_;
  std::unique_ptr<Machine> machine_;
};

TEST_F(MillionsOfNames, names_are_looked_for_to_the_end_once) {
  ASSERT_TRUE(machine_->guest.has_value()) << error_of(*machine_);
  for (int i = 0; i < 2'000; ++i) {
    const auto found = guest().stat(i % 2 == 0 ? "/etc/passwd" : "/etc/os-release");
    ASSERT_TRUE(found.has_value()) << found.error().message;
  }
}

TEST_F(MillionsOfNames, name_that_is_missing_is_looked_for_once) {
  ASSERT_TRUE(machine_->guest.has_value()) << error_of(*machine_);
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(code_of(guest().stat("/nothing")), Errc::not_found) << i;
}

TEST_F(MillionsOfNames, list_of_them_is_refused) {
  ASSERT_TRUE(machine_->guest.has_value()) << error_of(*machine_);
  EXPECT_EQ(code_of(guest().list("/")), Errc::failed);
  EXPECT_TRUE(guest().stat("/etc").has_value());
}

TEST_F(MillionsOfNames, processor_time_that_is_used_up_ends_the_reading) {
  ASSERT_TRUE(machine_->guest.has_value()) << error_of(*machine_);
  const double start = processor_seconds();
  std::optional<Errc> code;
  for (int i = 0; i < 10'000 && (!code || *code == Errc::not_found); ++i) code = code_of(guest().stat(fmt::format("/missing-{}", i)));
  ASSERT_EQ(code, Errc::timeout);
  EXPECT_LT(processor_seconds() - start, 3.0);
  const auto later = guest().read("/etc/passwd", 1000);
  ASSERT_EQ(code_of(later), Errc::timeout);
  EXPECT_NE(later.error().message.find("processor time"), std::string::npos) << later.error().message;
}

TEST(LargestFolder, is_that_of_128_mib) {
  for (const std::uint64_t size : {largest_folder, largest_folder + 4096}) {
    const TempDir dir;
    write_root(dir, "root");
    dir.write("root/many/first", "");
    const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext2", "-b", "4096"});
    repeat_block(disk, "/many", folder_block(0, 1, ""), size);
    const Machine machine(dir, {disk});
    ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
    const auto names = (*machine.guest)->list("/many");
    if (size == largest_folder) {
      ASSERT_TRUE(names.has_value()) << names.error().message;
      EXPECT_EQ(names->size(), 1U);
    } else {
      ASSERT_EQ(code_of(names), Errc::failed);
      EXPECT_NE(names.error().message.find("more than any honest one"), std::string::npos) << names.error().message;
    }
  }
}

TEST(LargeFolder, name_that_comes_twice_is_an_error_and_others_are_found) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/many/first", "one");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext2", "-b", "4096"});
  repeat_block(disk, "/many", folder_block(12, 250, "x"), 2U << 20U);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->read("/many/first", 10).value_or(""), "one");
  const auto twice = (*machine.guest)->lstat("/many/x0000");
  ASSERT_EQ(code_of(twice), Errc::failed);
  EXPECT_NE(twice.error().message.find("holds the name x0000 twice"), std::string::npos) << twice.error().message;
}

TEST(BlockPointers, beyond_the_size_of_a_folder_are_not_followed) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/many/first", "");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext2", "-b", "4096"});
  repeat_block(disk, "/many", folder_block(12, 1, "x"), 13 * 4096);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  const auto names = (*machine.guest)->list("/many");
  ASSERT_TRUE(names.has_value()) << names.error().message;
  EXPECT_EQ(names->size(), 1U + 1U);  // twelve blocks are its own
}

}  // namespace
}  // namespace vmpatch::guest::direct::test
