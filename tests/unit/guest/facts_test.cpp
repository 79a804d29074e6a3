#include "vmpatch/guest/facts.hpp"

#include <gtest/gtest.h>

#include "memory_guest.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest {
namespace {

MemoryGuest debian() {
  MemoryGuest guest;
  guest.links["/etc/os-release"] = "/usr/lib/os-release";
  guest.files["/usr/lib/os-release"] = "ID=debian\nVERSION_ID=12\n";
  guest.files["/var/lib/dpkg/status"] = "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n";
  guest.files["/etc/fstab"] = "UUID=x / ext4 defaults 0 1\n";
  guest.files["/boot/vmlinuz-6.1.0-13-amd64"] = "";
  guest.files["/boot/initrd.img-6.1.0-13-amd64"] = "";
  guest.files["/boot/vmlinuz-6.1.0-9-amd64"] = "";
  guest.files["/lib/modules/6.1.0-13-amd64/modules.dep"] = "";
  guest.files["/bin/sh"] = std::string("\x7f" "ELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", 20);
  guest.links["/sbin/init"] = "/lib/systemd/systemd";
  guest.files["/etc/ssh/ssh_host_rsa_key"] = "secret";
  guest.files["/etc/ssh/ssh_host_rsa_key.pub"] = "public";
  guest.files["/etc/machine-id"] = "";
  guest.links["/etc/resolv.conf"] = "../run/systemd/resolve/stub-resolv.conf";
  return guest;
}

TEST(ReadFacts, debian_guest_is_read_whole) {
  MemoryGuest guest = debian();
  const auto facts = read_facts(guest);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->os.id, "debian");
  EXPECT_EQ(facts->arch, "x86_64");
  EXPECT_EQ(facts->package_manager, "dpkg");
  EXPECT_EQ(facts->init, "systemd");
  EXPECT_EQ(facts->access, "memory");
  ASSERT_NE(facts->find("bash"), nullptr);
  EXPECT_EQ(facts->find("zsh"), nullptr);
  EXPECT_TRUE(facts->half_configured.empty());
  ASSERT_EQ(facts->kernels.size(), 2U);
  EXPECT_EQ(facts->kernels[0].version, "6.1.0-13-amd64");
  EXPECT_TRUE(facts->kernels[0].initrd);
  EXPECT_TRUE(facts->kernels[0].modules);
  EXPECT_EQ(facts->kernels[0].file, "/boot/vmlinuz-6.1.0-13-amd64");
  EXPECT_FALSE(facts->kernels[1].initrd);
  EXPECT_EQ(facts->identity.machine_id, MachineId::empty);
  EXPECT_EQ(facts->identity.files.at("/etc/resolv.conf"), "link:../run/systemd/resolve/stub-resolv.conf");
  EXPECT_EQ(facts->identity.files.at("/usr/sbin/policy-rc.d"), "absent");
  EXPECT_EQ(facts->identity.files.at("/etc/ssh/ssh_host_rsa_key"), "sha256:" + sha256("secret").hex());
  EXPECT_FALSE(facts->identity.files.contains("/etc/ssh/ssh_host_rsa_key.pub"));
}

TEST(ReadFacts, missing_os_release_is_not_found) {
  MemoryGuest guest = debian();
  guest.links.erase("/etc/os-release");
  guest.files.erase("/usr/lib/os-release");
  const auto facts = read_facts(guest);
  ASSERT_FALSE(facts.has_value());
  EXPECT_EQ(facts.error().code, Errc::not_found);
  EXPECT_NE(facts.error().message.find("no operating system found"), std::string::npos);
}

TEST(ReadFacts, broken_status_is_failed_with_path_and_line) {
  MemoryGuest guest = debian();
  guest.files["/var/lib/dpkg/status"] = "Package: a\nrubbish\n";
  const auto facts = read_facts(guest);
  ASSERT_FALSE(facts.has_value());
  EXPECT_EQ(facts.error().code, Errc::failed);
  EXPECT_NE(facts.error().message.find("/var/lib/dpkg/status: line 2"), std::string::npos) << facts.error().message;
}

TEST(ReadFacts, journal_and_triggers_of_dpkg_count_as_half_configured) {
  MemoryGuest guest = debian();
  guest.files["/var/lib/dpkg/updates/0000"] = "x";
  guest.files["/var/lib/dpkg/updates/tmp.i"] = "x";
  guest.files["/var/lib/dpkg/triggers/Unincorp"] = "ldconfig libc6\n";
  const auto facts = read_facts(guest);
  ASSERT_TRUE(facts.has_value());
  ASSERT_EQ(facts->half_configured.size(), 2U);
  EXPECT_NE(facts->half_configured[0].find("1 unfinished updates"), std::string::npos);
  EXPECT_NE(facts->half_configured[1].find("Unincorp"), std::string::npos);
}

TEST(ReadFacts, status_folder_is_read_too) {
  MemoryGuest guest = debian();
  guest.files.erase("/var/lib/dpkg/status");
  guest.files["/var/lib/dpkg/status.d/tzdata"] = "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n";
  guest.files["/var/lib/dpkg/status.d/tzdata.md5sums"] = "00 not a stanza\n";
  const auto facts = read_facts(guest);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->package_manager, "dpkg");
  EXPECT_NE(facts->find("tzdata"), nullptr);
}

TEST(ReadFacts, hibernation_comes_from_the_guest) {
  MemoryGuest guest = debian();
  guest.asleep = true;
  EXPECT_TRUE(read_facts(guest)->hibernated);
}

TEST(FactsJson, hostile_bytes_do_not_break_the_text) {
  MemoryGuest guest = debian();
  guest.files["/usr/lib/os-release"] = "ID=\xff\xfe\nVERSION_ID=\"1\x1b[2J\"\n";
  const auto facts = read_facts(guest);
  ASSERT_TRUE(facts.has_value());
  const std::string text = dump_json(to_json(*facts));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_TRUE(parse_json(text, "facts").has_value());
}

TEST(ReadFacts, more_kernels_than_the_cache_can_hold_are_failed) {
  MemoryGuest guest = debian();
  guest.files.erase("/boot/vmlinuz-6.1.0-9-amd64");
  for (std::size_t i = 1; i < max_kernels; ++i) guest.files["/boot/vmlinuz-" + std::to_string(i)] = "";
  const auto most = read_facts(guest);
  ASSERT_TRUE(most.has_value()) << most.error().message;
  EXPECT_EQ(most->kernels.size(), max_kernels);
  EXPECT_TRUE(facts_from_json(to_json(*most)).has_value());
  guest.files["/boot/vmlinuz-0"] = "";
  const auto facts = read_facts(guest);
  ASSERT_FALSE(facts.has_value());
  EXPECT_EQ(facts.error().code, Errc::failed);
  EXPECT_NE(facts.error().message.find("/boot holds more than 10000 kernels"), std::string::npos) << facts.error().message;
}

TEST(Identity, more_host_keys_than_any_guest_has_are_failed) {
  MemoryGuest guest = debian();
  for (int i = 1; i < 64; ++i) guest.files["/etc/ssh/ssh_host_" + std::to_string(i) + "_key"] = "k";
  for (int i = 0; i < 100; ++i) guest.files["/etc/ssh/ssh_host_" + std::to_string(i) + "_key.pub"] = "k";
  ASSERT_TRUE(read_identity(guest).has_value());
  guest.files["/etc/ssh/ssh_host_64_key"] = "k";
  const auto identity = read_identity(guest);
  ASSERT_FALSE(identity.has_value());
  EXPECT_EQ(identity.error().code, Errc::failed);
  EXPECT_NE(identity.error().message.find("/etc/ssh holds more than 64 host keys"), std::string::npos) << identity.error().message;
}

TEST(Identity, unchanged_guest_has_no_changes) {
  MemoryGuest guest = debian();
  const auto before = read_identity(guest);
  const auto after = read_identity(guest);
  EXPECT_EQ(*before, *after);
  EXPECT_TRUE(identity_changes(*before, *after).empty());
}

TEST(Identity, every_difference_is_a_line) {
  MemoryGuest guest = debian();
  const auto before = read_identity(guest);
  guest.files["/etc/machine-id"] = "0123456789abcdef0123456789abcdef\n";
  guest.files["/usr/sbin/policy-rc.d"] = "#!/bin/sh\nexit 101\n";
  guest.files["/etc/ssh/ssh_host_rsa_key"] = "other";
  guest.files["/etc/ssh/ssh_host_ed25519_key"] = "new";
  guest.links["/etc/resolv.conf"] = "/dev/\x1bnull";
  const auto changes = identity_changes(*before, *read_identity(guest));
  ASSERT_EQ(changes.size(), 6U);
  EXPECT_EQ(changes[0], "machine-id state: empty → set");
  for (const auto& line : changes) EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(Identity, uninitialized_machine_id_is_told_apart) {
  MemoryGuest guest = debian();
  guest.files["/etc/machine-id"] = "uninitialized\n";
  EXPECT_EQ(read_identity(guest)->machine_id, MachineId::uninitialized);
  guest.files.erase("/etc/machine-id");
  EXPECT_EQ(read_identity(guest)->machine_id, MachineId::missing);
}

}  // namespace
}  // namespace vmpatch::guest
