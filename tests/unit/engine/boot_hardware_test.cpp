#include "engine/boot_hardware.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vmpatch::engine {
namespace {

inventory::Machine machine() {
  inventory::Machine machine;
  machine.uuid = "a7d6c2f0-2f33-4b71-a2d5-000000000001";
  machine.hardware.machine = "pc-q35-7.2";
  machine.hardware.memory = 1ULL << 30U;
  machine.hardware.vcpus = 4;
  machine.hardware.efi = machine.hardware.loader_is_flash = true;
  machine.hardware.loader = "/usr/share/OVMF/OVMF_CODE_4M.fd";
  machine.hardware.nvram = "/var/lib/libvirt/qemu/nvram/web01_VARS.fd";
  inventory::Disk disk;
  disk.target = "sda";
  disk.bus = "scsi";
  disk.serial = "s1";
  disk.boot_order = 3;
  machine.disks = {disk};
  return machine;
}

TEST(BootHardware, is_what_the_machine_is_started_on) {
  const auto hardware = boot_hardware(machine());
  ASSERT_TRUE(hardware);
  EXPECT_EQ(hardware->machine, "pc-q35-7.2");
  EXPECT_EQ(hardware->uuid, "a7d6c2f0-2f33-4b71-a2d5-000000000001");
  EXPECT_EQ(hardware->memory, 1ULL << 30U);
  EXPECT_EQ(hardware->processors, 4U);
  EXPECT_TRUE(hardware->efi);
  EXPECT_TRUE(hardware->code_is_flash);
  EXPECT_EQ(hardware->code, "/usr/share/OVMF/OVMF_CODE_4M.fd");
  EXPECT_EQ(hardware->variables, "/var/lib/libvirt/qemu/nvram/web01_VARS.fd");
  const auto disk = boot_disk(machine(), "sda");
  EXPECT_EQ(disk.bus, "scsi");
  EXPECT_EQ(disk.serial, "s1");
  EXPECT_EQ(disk.boot_order, 3U);
  EXPECT_EQ(boot_disk(machine(), "vdz").bus, "");
}

TEST(BootHardware, what_does_not_come_from_its_disks_is_unsupported) {
  auto direct = machine();
  direct.hardware.kernel = "/var/lib/libvirt/boot/vmlinuz";
  EXPECT_EQ(boot_hardware(direct).error().code, Errc::unsupported);
  auto converted = machine();
  converted.hardware.firmware_format = "qcow2";
  EXPECT_THAT(boot_hardware(converted).error().message, testing::HasSubstr("format qcow2"));
}

}  // namespace
}  // namespace vmpatch::engine
