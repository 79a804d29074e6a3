// Consoles as QEMU's serial port had them (recorded/), and lines of others.
#include "proof/signs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proof/screen_text.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::proof {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Found {
  Meaning meaning = Meaning::nothing;
  std::string reason, hint;
};

/// What is sure first, and the last hint before it.
Found watch(std::string_view bytes) {
  Found found;
  const auto take = [&](const Reading& reading) {
    if (found.meaning == Meaning::up || found.meaning == Meaning::failed || reading.meaning == Meaning::nothing) return;
    if (reading.meaning == Meaning::hint) {
      found.hint = reading.reason;
    } else {
      found.meaning = reading.meaning;
      found.reason = reading.reason;
    }
  };
  ScreenText text([&](std::string_view line) { take(read_line(line)); }, [&](std::string_view line) { take(read_prompt(line)); });
  text.feed(bytes);
  return found;
}

struct Row {
  std::string text;
  Meaning meaning;
  std::string words;  ///< in the reason, or in the hint
};

TEST(Signs, each_end_of_a_start_is_known_by_what_the_console_shows) {
  for (const auto& [text, meaning, words] : std::vector<Row>{
           {"\r\nDebian GNU/Linux 12 web01 ttyS0\r\n\r\nweb01 login: ", Meaning::up, ""},
           {"\x1b[1;1HAlpine\r\nlocalhost login: [   21.5] random: crng init done\n", Meaning::up, ""},
           {"login: ", Meaning::up, ""},
           {"db-1.example.org login: ", Meaning::up, ""},
           {"Last failed login: ", Meaning::nothing, ""},
           {"Starting systemd-logind.service - User Login Management...\r\n", Meaning::nothing, ""},
           {"web01 login:\r\n", Meaning::nothing, ""},
           {"[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n[    3.2] ---[ end\r\n", Meaning::failed,
            "its kernel panicked ([    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs"},
           {"[    0.0] Command line: panic=1 quiet\r\n", Meaning::nothing, ""},
           {"Gave up waiting for root file system device.  Common problems:\r\nALERT!  UUID=x does not exist.  Dropping to a shell!\r\n\r\n(initramfs) ", Meaning::failed,
            "its initramfs found no root file system"},
           {"error: no such device: 1234.\r\nEntering rescue mode...\r\ngrub rescue> ", Meaning::failed, "GRUB found neither its modules"},
           {"   Minimal BASH-like line editing is supported.\r\n\x1b[5;1Hgrub> ", Meaning::failed, "GRUB found no configuration"},
           {"error: file `/boot/vmlinuz-6.1' not found.\r\nLoading initial ramdisk ...\r\nerror: you need to load the kernel first.\r\n", Meaning::nothing,
            "you need to load the kernel first"},
           {"SeaBIOS (version 1.16)\r\nBooting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n", Meaning::failed,
            "firmware found nothing to start"},
           {"BdsDxe: failed to load Boot0001 \"UEFI Misc Device\": Not Found\r\nBdsDxe: No bootable option or device was found.\r\n", Meaning::failed,
            "firmware found nothing to start"},
           {"UEFI Interactive Shell v2.2\r\nPress ESC in 1 seconds to skip startup.nsh\r\n\x1b[1;1HShell> ", Meaning::failed, "firmware found nothing to start"},
           {"[  OK  ] Stopped target.\r\nYou are in emergency mode. After logging in, type \"journalctl -xb\"\r\n", Meaning::failed, "emergency mode"},
           {"Give root password for maintenance\r\n(or press Control-D to continue): ", Meaning::nothing, ""},
           {"Cannot open access to console, the root account is locked.\r\n", Meaning::failed, "emergency mode"},
           {"Generating \"/run/initramfs/rdsosreport.txt\"\r\n", Meaning::failed, "initramfs found no root file system"},
           {"[ TIME ] Timed out waiting for device dev-disk-by\\x2duuid-1.device.\r\n", Meaning::nothing, "Timed out waiting for device"},
           {"", Meaning::nothing, ""},
       }) {
    const auto found = watch(text);
    EXPECT_EQ(found.meaning, meaning) << text;
    EXPECT_THAT(found.meaning == Meaning::failed ? found.reason : found.hint, HasSubstr(words)) << text;
  }
}

TEST(Signs, recorded_consoles_tell_what_they_ended_with) {
  for (const auto& [file, meaning, words] : std::vector<Row>{{"debian-12-login", Meaning::up, ""}, {"debian-12-no-initrd-content", Meaning::failed, "its kernel panicked"},
                                                              {"no-boot-sector", Meaning::failed, "its firmware found nothing to start"}}) {
    const auto text = read_file(std::string(VMPATCH_SOURCE_DIR "/tests/unit/proof/recorded/") + file);
    ASSERT_TRUE(text) << text.error().message;
    const auto found = watch(*text);
    EXPECT_EQ(found.meaning, meaning) << file;
    EXPECT_THAT(found.reason, HasSubstr(words)) << file;
  }
}

TEST(Signs, reasons_are_safe_to_show_and_short) {
  const auto found = watch("Kernel panic - not syncing: \x9b" + std::string(900, 'x') + "\xff\n");
  EXPECT_EQ(found.meaning, Meaning::failed);
  EXPECT_LT(found.reason.size(), 300U);
  EXPECT_THAT(found.reason, Not(HasSubstr("\x9b")));
}

}  // namespace
}  // namespace vmpatch::proof
