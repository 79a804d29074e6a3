// Machines of one boot sector, which writes a text to the serial port: what a start shows, and what a started machine cannot reach.
#include "vmpatch/proof/boot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "integration/image/qemu_tools.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::proof {
namespace {

using namespace image::test;
using image::Format;
using testing::HasSubstr;
using testing::StartsWith;

/// Real mode: writes its own sector to the next one of the disk that it came from, then the text to the first serial port, and halts.
std::string boot_sector(std::string_view text) {
  constexpr std::string_view code(
      "\xFC\x31\xC0\x8E\xD8\x8E\xC0"          // cld; ds = es = 0
      "\xB8\x01\x03\xBB\x00\x7C\xB9\x02\x00"  // ax = 0x0301 (write one sector), bx = 0x7c00, cx = 2 (the second sector)
      "\xB6\x00\xCD\x13"                      // dh = 0, dl as it came; int 0x13
      "\xFA"                                  // cli: the firmware writes what is left of its own at an interrupt
      "\xBE\x2C\x7C"                          // si = the text
      "\xAC\x84\xC0\x74\x06"                  // lodsb; at its end go on below
      "\xBA\xF8\x03\xEE\xEB\xF5"              // out 0x3f8, al; again
      "\xFB\xF4\xEB\xFD",                     // sti; hlt; again
      39);
  std::string sector(code);
  sector.resize(0x2C, '\x90');
  sector += text;
  sector.resize(510, '\0');
  return sector + "\x55\xAA";
}

/// Of all processes the ones that have this among their words.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string words{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (words.starts_with("/usr/bin/qemu-system-x86_64") && words.find(word) != std::string::npos) found.push_back(static_cast<pid_t>(std::stoi(name)));
  }
  return found;
}

class BootTest : public testing::Test {
 protected:
  void make_disk(const std::string& content) {
    std::ofstream(base_, std::ios::binary) << content;
    fs::resize_file(base_, 4U << 20U);
    chain_.emplace(value_of(image::Chain::open(base_, Format::raw, {})));
    overlay_ = value_of(image::create_own_image(dir_ / "overlay.qcow2", chain_->virtual_size(), &chain_->top()));
    layer_ = value_of(image::create_own_image(dir_ / "layer.qcow2", chain_->virtual_size(), nullptr));
    server_.emplace(value_of(image::BlockServer::start({dir_ / "s", -1})));
    source_ = value_of(server_->export_throw_away(*chain_, overlay_, layer_, "vda-boot"));
    base_digest_ = file_digest(base_);
    overlay_digest_ = file_digest(dir_ / "overlay.qcow2");
  }

  BootRequest request(const std::string& bus = "") {
    BootRequest request;
    request.hardware.uuid = random_uuid();
    request.hardware.memory = 1;
    request.disks.push_back({source_, "vda", bus, "", 0});
    request.timeout = Seconds(60);
    request.evidence = dir_ / "run";
    return request;
  }

  void expect_untouched() {
    EXPECT_EQ(file_digest(base_), base_digest_);
    EXPECT_EQ(file_digest(dir_ / "overlay.qcow2"), overlay_digest_);
  }

  TempDir dir_;
  fs::path base_ = dir_ / "base.raw";
  std::optional<image::Chain> chain_;
  image::OwnImage overlay_, layer_;
  std::optional<image::BlockServer> server_;
  image::NbdExport source_;
  Digest base_digest_, overlay_digest_;
};

TEST_F(BootTest, a_login_prompt_on_the_console_is_up_and_only_the_throw_away_layer_is_written) {
  make_disk(boot_sector("\r\nmini login: "));
  const auto empty = fs::file_size(dir_ / "layer.qcow2");
  const auto report = value_of(boot(request()));
  EXPECT_EQ(report.up, Sign::login_prompt);
  EXPECT_TRUE(report.evidence.empty());
  EXPECT_FALSE(fs::exists(dir_ / "run.console"));
  expect_untouched();
  // It is what came next that shows that the machine could write at all.
  ASSERT_TRUE(server_->remove("vda-boot"));
  EXPECT_GT(fs::file_size(dir_ / "layer.qcow2"), empty);
  ASSERT_TRUE(server_->stop());
}

TEST_F(BootTest, every_machine_and_bus_that_is_known_starts_from_its_disk) {
  make_disk(boot_sector("\r\nmini login: "));
  struct Row {
    const char *machine, *bus, *model;
  };
  for (const Row& row : std::vector<Row>{{"pc-i440fx-7.2", "ide", ""}, {"q35", "sata", ""}, {"pc-q35-rhel9.4.0", "virtio", ""}, {"pc", "scsi", ""}, {"pc", "scsi", "lsilogic"}, {"q35", "usb", ""}}) {
    auto wanted = request(row.bus);
    wanted.hardware.machine = row.machine;
    wanted.hardware.scsi_model = row.model;
    const auto report = boot(wanted);
    ASSERT_TRUE(report) << row.machine << " " << row.bus << ": " << report.error().message;
    EXPECT_EQ(report->up, Sign::login_prompt) << row.machine << " " << row.bus << ": " << report->reason;
    static_cast<void>(fs::remove(dir_ / "run.console"));
    static_cast<void>(fs::remove(dir_ / "run.screen.png"));
  }
  expect_untouched();
}

TEST_F(BootTest, a_panic_ends_it_at_once_with_console_and_picture) {
  make_disk(boot_sector("\r\n[ 1.0] Kernel panic - not syncing: no \x1b[2Jinit\r\n"));
  const auto report = value_of(boot(request()));
  EXPECT_FALSE(report.up);
  EXPECT_LT(report.took, Seconds(60));
  EXPECT_THAT(report.reason, HasSubstr("its kernel panicked ([ 1.0] Kernel panic - not syncing: no"));
  ASSERT_EQ(report.evidence.size(), 2U);
  const auto console = read_whole(report.evidence[0]);
  EXPECT_THAT(console, HasSubstr("Kernel panic - not syncing"));
  EXPECT_EQ(console.find('\x1b'), std::string::npos);
  const auto screen = read_whole(report.evidence[1]);
  EXPECT_TRUE(screen.starts_with("\x89PNG") || screen.starts_with("P6")) << report.evidence[1];
  for (const auto& path : report.evidence) {
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U) << path;
  }
  expect_untouched();
}

TEST_F(BootTest, a_disk_that_nothing_starts_from_is_known_by_the_firmware) {
  make_disk(std::string(512, '\0'));
  const auto report = value_of(boot(request()));
  EXPECT_FALSE(report.up);
  EXPECT_THAT(report.reason, HasSubstr("its firmware found nothing to start (No bootable device.)"));
}

TEST_F(BootTest, uefi_with_secure_boot_starts_from_copies_of_its_firmware) {
  make_disk(std::string(512, '\0'));
  auto wanted = request();
  wanted.hardware.machine = "q35";
  wanted.hardware.efi = wanted.hardware.secure = true;
  wanted.timeout = Seconds(200);
  const auto report = value_of(boot(wanted));
  EXPECT_FALSE(report.up);
  EXPECT_THAT(report.reason, HasSubstr("its firmware found nothing to start (BdsDxe: No bootable option or device was found."));
}

TEST_F(BootTest, one_that_says_nothing_of_use_ends_with_the_time_and_its_last_line) {
  make_disk(boot_sector("\r\nhalf way\r\n"));
  auto wanted = request();
  wanted.timeout = Seconds(6);
  wanted.power_down = Seconds(1);
  const auto report = value_of(boot(wanted));
  EXPECT_FALSE(report.up);
  EXPECT_FALSE(report.switched_off);
  EXPECT_THAT(report.reason, HasSubstr("no sign of it after 6 s: no guest agent, no login prompt"));
  EXPECT_EQ(report.evidence.size(), 2U);
}

TEST_F(BootTest, whoever_waits_can_end_it_and_no_process_is_left) {
  make_disk(boot_sector("\r\nhalf way\r\n"));
  auto wanted = request();
  std::vector<pid_t> seen;
  wanted.keep_going = [&]() -> Result<void> {
    seen = processes_with(wanted.hardware.uuid);
    return make_error(Errc::busy, "that is enough");
  };
  const auto report = boot(wanted);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "that is enough");
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_TRUE(processes_with(wanted.hardware.uuid).empty());
}

TEST_F(BootTest, the_machine_runs_shut_in) {
  make_disk(boot_sector("\r\nhalf way\r\n"));
  auto wanted = request();
  std::map<std::string, std::string> status;
  std::vector<std::string> links, open;
  std::string limits;
  wanted.keep_going = [&]() -> Result<void> {
    for (const pid_t pid : processes_with(wanted.hardware.uuid)) {
      const auto proc = fs::path("/proc") / std::to_string(pid);
      std::ifstream file(proc / "status");
      for (std::string line; std::getline(file, line);) status[line.substr(0, line.find(':'))] = trim(line.substr(line.find(':') + 1));
      for (const char* name : {"net", "mnt", "pid", "ipc"}) links.push_back(fs::read_symlink(proc / "ns" / name).string());
      for (const auto& fd : fs::directory_iterator(proc / "fd")) open.push_back(fs::read_symlink(fd.path()).string());
      limits = read_whole(proc / "limits");
    }
    return make_error(Errc::busy, "that is enough");
  };
  static_cast<void>(boot(wanted).has_value());
  ASSERT_FALSE(status.empty());
  EXPECT_EQ(status["NoNewPrivs"], "1");
  EXPECT_EQ(status["Seccomp"], "2");
  EXPECT_EQ(status["CapEff"], "0000000000000000");
  if (::geteuid() == 0) {
    EXPECT_THAT(status["Uid"], testing::Not(StartsWith("0\t")));
    EXPECT_EQ(status["Groups"], "");
    const fs::path own = "/proc/self/ns";
    EXPECT_EQ(std::count(links.begin(), links.end(), fs::read_symlink(own / "net").string()), 0);
    EXPECT_EQ(std::count(links.begin(), links.end(), fs::read_symlink(own / "mnt").string()), 0);
    EXPECT_EQ(std::count(links.begin(), links.end(), fs::read_symlink(own / "pid").string()), 0);
  }
  for (const auto& target : open) EXPECT_EQ(target.find(dir_.path().string()), std::string::npos) << target;
#ifndef __SANITIZE_ADDRESS__
  EXPECT_THAT(limits, HasSubstr("Max address space         8589934592"));
#endif
  EXPECT_THAT(limits, HasSubstr("Max file size             16777216"));
}

TEST_F(BootTest, what_this_host_cannot_start_is_told_before_anything_is) {
  make_disk(std::string(512, '\0'));
  auto odd = request("fdc");
  EXPECT_EQ(check_bootable(odd.hardware, odd.disks, "").error().code, Errc::unsupported);
  EXPECT_EQ(boot(odd).error().code, Errc::unsupported);
  auto good = request();
  EXPECT_TRUE(check_bootable(good.hardware, good.disks, "x86_64"));
  EXPECT_TRUE(check_bootable(good.hardware, good.disks, "i686"));
  EXPECT_THAT(check_bootable(good.hardware, good.disks, "aarch64").error().message, HasSubstr("its architecture is aarch64"));
}

}  // namespace
}  // namespace vmpatch::proof
