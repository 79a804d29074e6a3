#include <gtest/gtest.h>
#include <utmp.h>

#include <cstring>

#include "guest/evidence.hpp"
#include "memory_guest.hpp"

namespace vmpatch::guest {
namespace {

/// As the C library of this machine writes it.
std::string record(short type, std::int32_t seconds) {
  struct utmp made {};
  made.ut_type = type;
  made.ut_tv.tv_sec = seconds;
  std::string bytes(sizeof made, '\0');
  std::memcpy(bytes.data(), &made, sizeof made);
  return bytes;
}

/// 64-bit little-endian layout with 64-bit time (aarch64).
std::string wide_record(char type, std::uint64_t seconds) {
  std::string bytes(400, '\0');
  bytes[0] = type;
  for (std::size_t i = 0; i < 8; ++i) bytes[344 + i] = static_cast<char>(seconds >> (8 * i) & 0xFFU);
  return bytes;
}

Facts facts_of(const std::string& init) {
  Facts facts;
  facts.arch = "x86_64";
  facts.init = init;
  return facts;
}

TEST(LoginRecords, newest_time_of_any_record_counts) {
  static_assert(sizeof(struct utmp) == 384);
  const std::string bytes = record(BOOT_TIME, 1'700'000'000) + record(USER_PROCESS, 1'700'000'900) + record(RUN_LVL, 1'700'000'500);
  EXPECT_EQ(newest_login_record(bytes, "x86_64"), 1'700'000'900);
  EXPECT_EQ(newest_login_record(bytes + "half a record", "x86_64"), 1'700'000'900);
}

TEST(LoginRecords, layout_follows_the_architecture) {
  EXPECT_EQ(newest_login_record(wide_record(BOOT_TIME, 5'000'000'000), "aarch64"), 5'000'000'000);
  std::string big(384, '\0');
  big[1] = BOOT_TIME;
  big.replace(340, 4, "\x65\x53\xF1\x00", 4);
  EXPECT_EQ(newest_login_record(big, "s390x"), 0x6553F100);
}

TEST(LoginRecords, empty_and_impossible_ones_do_not_count) {
  EXPECT_EQ(newest_login_record("", "x86_64"), std::nullopt);
  EXPECT_EQ(newest_login_record(std::string(384 * 3, '\0'), "x86_64"), std::nullopt);
  EXPECT_EQ(newest_login_record(std::string(384 * 3, '\xff'), "x86_64"), std::nullopt);
  EXPECT_EQ(newest_login_record(wide_record(BOOT_TIME, UINT64_MAX), "aarch64"), std::nullopt);
  EXPECT_EQ(newest_login_record(record(BOOT_TIME, -5), "x86_64"), 4'294'967'291);  // 32 bits without a sign: until 2106
}

/// systemd-update-utmp(8): the level's digit is in the process number, with the one before it above.
std::string run_level(const char* user, int level, std::int32_t seconds, short type = RUN_LVL) {
  struct utmp made {};
  made.ut_type = type;
  made.ut_pid = level | 'N' << 8;
  std::strncpy(made.ut_user, user, sizeof made.ut_user);
  made.ut_tv.tv_sec = seconds;
  std::string bytes(sizeof made, '\0');
  std::memcpy(bytes.data(), &made, sizeof made);
  return bytes;
}

TEST(RunLevel, only_records_of_levels_in_which_people_work_count) {
  EXPECT_EQ(newest_run_level(run_level("runlevel", '5', 100) + run_level("runlevel", '3', 90), "x86_64"), 100);
  EXPECT_EQ(newest_run_level(run_level("runlevel", '2', 7), "x86_64"), 7);
  const auto others = record(BOOT_TIME, 50) + run_level("runlevel", '1', 60) + run_level("runlevel", '6', 61) + run_level("shutdown", '5', 62) + run_level("runlevelx", '5', 63) +
                      run_level("runlevel", '5', 64, USER_PROCESS) + run_level("runlevel", 0, 65);
  EXPECT_EQ(newest_run_level(others, "x86_64"), std::nullopt);
  EXPECT_EQ(newest_run_level("", "x86_64"), std::nullopt);
  MemoryGuest guest;
  EXPECT_EQ(*read_last_run_level(guest, "x86_64"), std::nullopt);
  guest.files["/var/log/wtmp"] = others + run_level("runlevel", '5', 200);
  EXPECT_EQ(*read_last_run_level(guest, "x86_64"), 200);
}

TEST(LastBoot, newest_trace_wins_and_is_named) {
  MemoryGuest guest;
  guest.files["/var/log/wtmp"] = record(BOOT_TIME, 1'700'000'000);
  EXPECT_EQ(*read_last_boot(guest, facts_of("systemd")), (LastBoot{1'700'000'000, "/var/log/wtmp"}));
  guest.files["/var/lib/systemd/random-seed"] = "x";
  guest.mtimes["/var/lib/systemd/random-seed"] = 1'700'000'001;
  EXPECT_EQ(*read_last_boot(guest, facts_of("systemd")), (LastBoot{1'700'000'001, "/var/lib/systemd/random-seed"}));
  const std::string journal = "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal";
  guest.files[journal] = "LPKSHHRH";
  guest.mtimes[journal] = 1'700'000'777;
  EXPECT_EQ(*read_last_boot(guest, facts_of("systemd")), (LastBoot{1'700'000'777, journal}));
  EXPECT_EQ(read_last_boot(guest, facts_of("openrc"))->source, "/var/log/wtmp");
}

TEST(LastBoot, image_that_never_ran_has_none) {
  MemoryGuest guest;
  guest.files["/var/log/wtmp"] = "";
  guest.files["/var/lib/systemd/random-seed"] = "x";
  guest.mtimes["/var/lib/systemd/random-seed"] = latest_time + 1;
  EXPECT_EQ(*read_last_boot(guest, facts_of("systemd")), LastBoot());
}

TEST(LastBoot, only_the_end_of_a_long_file_is_read) {
  MemoryGuest guest;
  std::string& wtmp = guest.files["/var/log/wtmp"];
  wtmp = record(BOOT_TIME, 2'000'000'000);
  for (int i = 0; i < 4096; ++i) wtmp += record(BOOT_TIME, 1'700'000'000 + i);
  EXPECT_EQ(read_last_boot(guest, facts_of("systemd"))->time, 1'700'004'095);
}

TEST(CloudInit, state_follows_instance_package_and_configuration) {
  MemoryGuest guest;
  Facts facts = facts_of("systemd");
  EXPECT_EQ(*read_cloud_init(guest, facts), CloudInit::absent);
  guest.files["/etc/cloud/cloud.cfg"] = "";
  EXPECT_EQ(*read_cloud_init(guest, facts), CloudInit::never_ran);
  guest.files.clear();
  facts.packages.push_back({"cloud-init", "22.4", "all", "cloud-init", "22.4", "install ok installed", false, false});
  EXPECT_EQ(*read_cloud_init(guest, facts), CloudInit::never_ran);
  guest.links["/var/lib/cloud/instance"] = "/var/lib/cloud/instances/i-1";
  EXPECT_EQ(*read_cloud_init(guest, facts), CloudInit::ran);
}

}  // namespace
}  // namespace vmpatch::guest
