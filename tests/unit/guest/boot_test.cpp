#include <gtest/gtest.h>

#include "guest/boot.hpp"
#include "guest/grub.hpp"
#include "guest/kernels.hpp"
#include "guest/loader_entries.hpp"
#include "guest/version_order.hpp"
#include "memory_guest.hpp"

namespace vmpatch::guest {
namespace {

// The shape that Debian's grub-mkconfig writes.
const std::string debian_config = R"cfg(
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
menuentry 'Debian GNU/Linux' --class debian --class gnu $menuentry_id_option 'gnulinux-simple-1' {
	load_video
	search --no-floppy --fs-uuid --set=root 1
	echo	'Loading Linux 6.1.0-13-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-13-amd64 root=UUID=1 ro  quiet
	initrd	/boot/initrd.img-6.1.0-13-amd64
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-13-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-13-amd64-advanced-1' {
		linux	/boot/vmlinuz-6.1.0-13-amd64 root=UUID=1 ro
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-9-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-9-amd64-advanced-1' {
		linux	/boot/vmlinuz-6.1.0-9-amd64 root=UUID=1 ro
	}
}
menuentry "Memory test (memtest86+x64.bin)" {
	linux /boot/memtest86+x64.bin
}
)cfg";

std::string with_default(const std::string& value) {
  std::string text = debian_config;
  text.replace(text.find("\"0\""), 3, '"' + value + '"');
  return text;
}

DefaultBoot default_boot(MemoryGuest& guest, const std::vector<MountEntry>& mounts = {}) {
  const auto kernels = read_kernels(guest);
  EXPECT_TRUE(kernels.has_value()) << kernels.error().message;
  auto boot = read_default_boot(guest, mounts, kernels.value_or(std::vector<Kernel>()));
  EXPECT_TRUE(boot.has_value()) << boot.error().message;
  return boot ? *boot : DefaultBoot();
}

struct Choice {
  std::string value, kernel;
};

class GrubDefault : public testing::TestWithParam<Choice> {};

TEST_P(GrubDefault, leads_to_the_entry_that_grub_starts) {
  MemoryGuest guest;
  guest.files["/boot/grub/grub.cfg"] = with_default(GetParam().value);
  EXPECT_EQ(default_boot(guest), (DefaultBoot{GetParam().kernel, "/boot/grub/grub.cfg"}));
}

INSTANTIATE_TEST_SUITE_P(
    Values, GrubDefault,
    testing::Values(Choice{"0", "6.1.0-13-amd64"}, Choice{"1>1", "6.1.0-9-amd64"}, Choice{"1", "6.1.0-13-amd64"},
                    Choice{"gnulinux-advanced-1>gnulinux-6.1.0-9-amd64-advanced-1", "6.1.0-9-amd64"},
                    Choice{"Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-9-amd64", "6.1.0-9-amd64"},
                    Choice{"99", "6.1.0-13-amd64"}, Choice{"no such title", "6.1.0-13-amd64"}, Choice{"", "6.1.0-13-amd64"},
                    Choice{"Memory test (memtest86+x64.bin)", "/boot/memtest86+x64.bin"}));

TEST(GrubDefault, saved_entry_comes_from_the_environment_block) {
  MemoryGuest guest;
  guest.files["/boot/grub/grub.cfg"] = with_default("${saved_entry}");
  EXPECT_EQ(default_boot(guest).kernel, "6.1.0-13-amd64");
  guest.files["/boot/grub/grubenv"] = "# GRUB Environment Block\nsaved_entry=1>1\n#######";
  EXPECT_EQ(default_boot(guest).kernel, "6.1.0-9-amd64");
}

TEST(GrubDefault, choice_for_one_boot_goes_first) {
  MemoryGuest guest;
  guest.files["/boot/grub/grub.cfg"] = debian_config;
  guest.files["/boot/grub/grubenv"] = "# GRUB Environment Block\nnext_entry=1>1\n####";
  EXPECT_EQ(default_boot(guest).kernel, "6.1.0-9-amd64");
}

TEST(GrubDefault, path_on_a_separate_boot_and_links_lead_to_the_version) {
  MemoryGuest guest;
  guest.files["/boot/grub2/grub.cfg"] = "menuentry a {\n linuxefi /vmlinuz root=/dev/sda1\n}\n";
  guest.links["/boot/vmlinuz"] = "vmlinuz-5.14.0";
  EXPECT_EQ(default_boot(guest, {{"UUID=1", "/boot", "ext4", "defaults"}}).kernel, "5.14.0");
  EXPECT_EQ(default_boot(guest).kernel, "/vmlinuz");
}

TEST(GrubDefault, what_is_not_understood_is_unknown) {
  MemoryGuest guest;
  guest.files["/boot/grub/grub.cfg"] = "menuentry 'Firmware' {\n fwsetup\n}\nmenuentry b {\n linux /boot/vmlinuz-1\n}\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
  guest.files["/boot/grub/grub.cfg"] = "configfile (hd0,1)/other.cfg\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
  guest.files["/boot/grub/grub.cfg"] = std::string(2U << 20U, 'x');
  EXPECT_EQ(default_boot(guest), DefaultBoot());
}

TEST(GrubConfig, hostile_text_ends_quickly_and_never_fails) {
  EXPECT_EQ(parse_grub_config(std::string(1U << 20U, '{')).entries.size(), 0U);
  EXPECT_EQ(parse_grub_config(std::string(1U << 20U, '}')).entries.size(), 0U);
  std::string deep;
  for (int i = 0; i < 40'000; ++i) deep += "submenu a {\n";
  EXPECT_LE(parse_grub_config(deep + "menuentry x {\nlinux y\n}").entries.size(), 1U);
  std::string wide;
  for (int i = 0; i < 40'000; ++i) wide += "menuentry a {\n}\n";
  EXPECT_EQ(parse_grub_config(wide).entries.size(), 10'000U);
  for (const char* text : {"'", "\"", "menuentry", "menuentry 'a", "set default=", "\\", "${", "menuentry \"\\", "linux"}) {
    EXPECT_EQ(find_grub_entry(parse_grub_config(text), "0"), nullptr) << text;
  }
}

MemoryGuest fedora() {
  MemoryGuest guest;
  guest.files["/boot/grub2/grub.cfg"] = "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\n";
  for (const std::string version : {"5.14.0-70.13.1.el9_0.x86_64", "5.14.0-162.el9.x86_64", "0-rescue"}) {
    guest.files["/boot/loader/entries/aaaa-" + version + ".conf"] =
        "title Linux (" + version + ")\nversion " + version + "\nlinux /vmlinuz-" + version + "\n";
  }
  return guest;
}

TEST(LoaderEntries, grub_starts_the_newest_or_the_saved_one) {
  MemoryGuest guest = fedora();
  const std::vector<MountEntry> mounts{{"UUID=1", "/boot", "xfs", "defaults"}};
  EXPECT_EQ(default_boot(guest, mounts), (DefaultBoot{"5.14.0-162.el9.x86_64", "/boot/loader/entries/aaaa-5.14.0-162.el9.x86_64.conf"}));
  guest.files["/boot/grub2/grubenv"] = "saved_entry=aaaa-5.14.0-70.13.1.el9_0.x86_64\n";
  EXPECT_EQ(default_boot(guest, mounts).kernel, "5.14.0-70.13.1.el9_0.x86_64");
}

TEST(LoaderEntries, environment_in_the_efi_partition_leaves_the_choice_unknown) {
  MemoryGuest guest = fedora();
  guest.links["/boot/grub2/grubenv"] = "../efi/EFI/fedora/grubenv";
  guest.files["../efi/EFI/fedora/grubenv"] = "saved_entry=aaaa-0-rescue\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
  guest.files["/boot/grub2/grub.cfg"] = "set default=0\nblscfg\n";
  EXPECT_EQ(default_boot(guest).kernel, "5.14.0-162.el9.x86_64");
}

TEST(LoaderEntries, grub_whose_configuration_is_in_the_efi_partition_is_unknown) {
  for (const char* trace : {"/boot/grub2/grubenv", "/etc/grub2-efi.cfg"}) {
    MemoryGuest guest = fedora();
    guest.files.erase("/boot/grub2/grub.cfg");
    guest.links[trace] = "../boot/efi/EFI/rocky/something";
    EXPECT_EQ(default_boot(guest), DefaultBoot()) << trace;
    guest.files["/boot/loader/loader.conf"] = "timeout 3\n";
    EXPECT_NE(default_boot(guest), DefaultBoot()) << trace;
  }
}

const std::string firmware = "if [ \"$grub_platform\" = \"efi\" ]; then\n\tmenuentry 'UEFI Firmware Settings' $menuentry_id_option "
                             "'uefi-firmware' {\n\t\tfwsetup\n\t}\nfi\n";

/// As grub2-mkconfig writes it, the menu for the firmware before or behind.
MemoryGuest fedora_with(const std::string& before, const std::string& behind) {
  MemoryGuest guest = fedora();
  guest.files["/boot/grub2/grub.cfg"] =
      "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\nelse\n   set default=\"${saved_entry}\"\nfi\n" + before +
      "insmod blscfg\nblscfg\n" + behind;
  return guest;
}

TEST(LoaderEntries, menu_of_grub_holds_them_where_blscfg_stands) {
  MemoryGuest guest = fedora_with("", firmware + "menuentry other {\n linux /boot/vmlinuz-4.18.0\n}\n");
  const auto starts = [&](const std::string& environment) {
    guest.files["/boot/grub2/grubenv"] = environment;
    return default_boot(guest);
  };
  EXPECT_EQ(starts(""), (DefaultBoot{"5.14.0-162.el9.x86_64", "/boot/loader/entries/aaaa-5.14.0-162.el9.x86_64.conf"}));
  EXPECT_EQ(starts("saved_entry=aaaa-5.14.0-70.13.1.el9_0.x86_64\n").kernel, "5.14.0-70.13.1.el9_0.x86_64");
  EXPECT_EQ(starts("saved_entry=1\n").kernel, "5.14.0-70.13.1.el9_0.x86_64");
  EXPECT_EQ(starts("saved_entry=1\nnext_entry=0\n").kernel, "5.14.0-162.el9.x86_64");
  EXPECT_EQ(starts("saved_entry=aaaa-gone\n").kernel, "5.14.0-162.el9.x86_64");
  EXPECT_EQ(starts("saved_entry=other\n"), (DefaultBoot{"4.18.0", "/boot/grub2/grub.cfg"}));
  EXPECT_EQ(starts("next_entry=uefi-firmware\n").kernel, "");
  EXPECT_EQ(starts("saved_entry=4\n").kernel, "");  // on a BIOS there is no menu for the firmware, and this is another entry
}

TEST(LoaderEntries, conditional_menu_before_them_is_not_the_first_entry) {
  MemoryGuest guest = fedora_with(firmware, "");
  EXPECT_EQ(default_boot(guest).kernel, "5.14.0-162.el9.x86_64");
  guest.files["/boot/grub2/grubenv"] = "saved_entry=1\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
}

TEST(GrubDefault, conditional_submenu_for_snapshots_is_not_what_starts) {
  MemoryGuest guest;
  guest.files["/boot/grub2/grub.cfg"] =
      "set default=\"${saved_entry}\"\nif [ -n \"$extra_cmdline\" ]; then\n  submenu \"Bootable snapshot\" {\n    menuentry \"If OK\" {\n      "
      "true\n    }\n  }\nfi\nmenuentry 'SLES' {\n linux /boot/vmlinuz-5.14.21-default\n}\n";
  EXPECT_EQ(default_boot(guest), (DefaultBoot{"5.14.21-default", "/boot/grub2/grub.cfg"}));
}

TEST(GrubDefault, variable_that_is_not_known_leaves_the_choice_unknown) {
  MemoryGuest guest;
  guest.files["/boot/grub/grub.cfg"] = with_default("${other}");
  EXPECT_EQ(default_boot(guest), DefaultBoot());
}

TEST(LoaderEntries, entry_without_a_try_left_is_last_for_systemd_boot) {
  MemoryGuest guest;
  guest.files["/boot/loader/entries/arch-6.9+0-3.conf"] = "title A\nversion 6.9\nlinux /a/6.9/linux\n";
  guest.files["/boot/loader/entries/arch-6.8.conf"] = "title A\nversion 6.8\nlinux /a/6.8/linux\n";
  EXPECT_EQ(default_boot(guest).kernel, "6.8");
  guest.files["/boot/loader/entries/arch-6.10+1-2.conf"] = "title A\nversion 6.10\nlinux /a/6.10/linux\n";
  EXPECT_EQ(default_boot(guest).kernel, "6.10");
  guest.files["/boot/loader/entries/b+0-1.conf"] = "title A\nsort-key a\nversion 7\nlinux /a/7/linux\n";
  EXPECT_EQ(default_boot(guest).kernel, "6.10");
}

TEST(LoaderEntries, systemd_boot_takes_the_first_that_its_pattern_matches) {
  MemoryGuest guest;
  guest.files["/boot/loader/entries/arch.conf"] = "title Arch\nlinux /vmlinuz-linux\n";
  guest.files["/boot/loader/entries/m-6.5+3-1.conf"] = "title D\nsort-key debian\nversion 6.5\nlinux /m/6.5/linux\n";
  guest.files["/boot/loader/entries/m-6.12.conf"] = "title D\nsort-key debian\nversion 6.12\nlinux /m/6.12/linux\n";
  EXPECT_EQ(default_boot(guest), (DefaultBoot{"6.12", "/boot/loader/entries/m-6.12.conf"}));
  guest.files["/boot/loader/loader.conf"] = "timeout 3\ndefault m-6.5*\n";
  EXPECT_EQ(default_boot(guest), (DefaultBoot{"6.5", "/boot/loader/loader.conf"}));
  guest.files["/boot/loader/loader.conf"] = "default arch.conf\n";
  EXPECT_EQ(default_boot(guest).kernel, "/vmlinuz-linux");
  guest.files["/boot/vmlinuz-linux"] = "";
  guest.files["/usr/lib/modules/6.9.1-arch1-1/pkgbase"] = "linux\n";
  EXPECT_EQ(default_boot(guest).kernel, "6.9.1-arch1-1");
  guest.files["/boot/loader/loader.conf"] = "default @saved\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
}

TEST(LoaderEntries, boot_counter_is_no_part_of_the_id) {
  EXPECT_EQ(loader_entry_id("a+3-1.conf"), "a");
  EXPECT_EQ(loader_entry_id("a+3.conf"), "a");
  EXPECT_EQ(loader_entry_id("a+b.conf"), "a+b");
  EXPECT_EQ(loader_entry_id("a.txt"), "");
}

TEST(Extlinux, label_is_found_directly_or_through_the_menu) {
  MemoryGuest guest;
  guest.files["/boot/extlinux.conf"] = "DEFAULT menu.c32\nPROMPT 0\nLABEL virt\n  MENU DEFAULT\n  LINUX vmlinuz-virt\nLABEL lts\n  LINUX vmlinuz-lts\n";
  EXPECT_EQ(default_boot(guest), (DefaultBoot{"/boot/vmlinuz-virt", "/boot/extlinux.conf"}));
  guest.files["/boot/extlinux.conf"] = "default lts\nlabel virt\n kernel /boot/vmlinuz-virt\nlabel lts\n kernel /boot/vmlinuz-lts\n";
  EXPECT_EQ(default_boot(guest).kernel, "/boot/vmlinuz-lts");
  guest.files["/boot/extlinux.conf"] = "label virt\n kernel /boot/vmlinuz-virt\n";
  EXPECT_EQ(default_boot(guest), DefaultBoot());
}

// The examples of the Version Format Specification, and what kernels are named like.
TEST(BootVersions, order_is_that_of_the_specification) {
  const char* rising[] = {"~1", "", "122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1", "123^post1", "123.a-1", "123.1-1", "123a-1", "124-1"};
  for (std::size_t i = 0; i < std::size(rising); ++i) {
    for (std::size_t j = 0; j < std::size(rising); ++j) {
      const int order = compare_boot_versions(rising[i], rising[j]);
      EXPECT_EQ(order < 0, i < j) << rising[i] << " and " << rising[j];
      EXPECT_EQ(order > 0, i > j) << rising[i] << " and " << rising[j];
    }
  }
  EXPECT_EQ(compare_boot_versions("1_2", "12"), -1);
  EXPECT_EQ(compare_boot_versions("01", "1"), 0);
  EXPECT_LT(compare_boot_versions("5.14-300", "5.14.1-100"), 0);
  EXPECT_LT(compare_boot_versions("6.1.0-9", "6.1.0-13"), 0);
  EXPECT_LT(compare_boot_versions("6.1-rc1", "6.1.1"), 0);
}

}  // namespace
}  // namespace vmpatch::guest
