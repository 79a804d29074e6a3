#include "proof/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vmpatch::proof {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t mib = 1U << 20U;

Disk disk(const std::string& bus, unsigned order = 0, const std::string& serial = "") {
  Disk one;
  one.source.name = "vda-boot";
  one.name = "vda";
  one.bus = bus;
  one.boot_order = order;
  one.serial = serial;
  return one;
}

std::string words(const Hardware& hardware, const std::vector<Disk>& disks, const MachineSpec& spec = {"pc", FirmwareKind::none, false}) {
  const auto all = machine_arguments(hardware, disks, spec);
  if (!all) return "error " + all.error().message;
  std::string text;
  for (const auto& word : *all) text += word + " ";
  return text;
}

TEST(Machine, is_shut_off_from_network_files_and_screens_whatever_its_hardware) {
  for (const char* type : {"pc", "q35"}) {
    for (const bool kvm : {false, true}) {
      const auto text = words({}, {disk("virtio")}, {type, FirmwareKind::none, kvm});
      EXPECT_THAT(text, AllOf(HasSubstr("-nodefaults -no-user-config -nic none -display none"),
                              HasSubstr("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"), HasSubstr("cache\":{\"no-flush\":true"),
                              HasSubstr(kvm ? "-accel kvm " : "-accel tcg,tb-size=192 ")));
      EXPECT_THAT(text, AllOf(Not(HasSubstr("filename\":\"/")), Not(HasSubstr("-drive")), Not(HasSubstr("-netdev"))));
    }
  }
}

TEST(Machine, each_bus_gets_a_device_of_its_kind) {
  struct Row {
    const char *type, *bus, *model, *expected;
  };
  for (const Row& row : std::vector<Row>{{"pc", "", "", "-device virtio-blk-pci,drive=disk0,bootindex=1"},
                                         {"pc", "virtio", "", "-device virtio-blk-pci,drive=disk0,bootindex=1"},
                                         {"q35", "virtio", "", "-device virtio-blk-pci,drive=disk0"},
                                         {"pc", "scsi", "", "-device virtio-scsi-pci,id=scsi -blockdev"},
                                         {"pc", "scsi", "", "-device scsi-hd,bus=scsi.0,scsi-id=0,drive=disk0"},
                                         {"pc", "scsi", "lsilogic", "-device lsi53c895a,id=scsi"},
                                         {"pc", "scsi", "vmpvscsi", "-device pvscsi,id=scsi"},
                                         {"pc", "sata", "", "-device ahci,id=sata"},
                                         {"q35", "sata", "", "-device ide-hd,bus=sata.0,drive=disk0"},
                                         {"pc", "ide", "", "-device ide-hd,bus=ide.0,unit=0,drive=disk0"},
                                         {"q35", "ide", "", "-device ide-hd,bus=sata.0,drive=disk0"},
                                         {"pc", "usb", "", "-device usb-storage,bus=usb.0,drive=disk0"}}) {
    Hardware hardware;
    hardware.scsi_model = row.model;
    EXPECT_THAT(words(hardware, {disk(row.bus)}, {row.type, FirmwareKind::none, false}), HasSubstr(row.expected)) << row.type << " " << row.bus;
  }
}

TEST(Machine, what_no_device_is_known_for_is_unsupported_and_named) {
  Hardware odd;
  odd.scsi_model = "ibmvscsi";
  for (const auto& result : {machine_arguments({}, {disk("fdc")}, {"pc", {}, false}), machine_arguments({}, {disk("xen")}, {"q35", {}, false}),
                             machine_arguments(odd, {disk("scsi")}, {"pc", {}, false}),
                             machine_arguments({}, std::vector<Disk>(5, disk("ide")), {"pc", {}, false}),
                             machine_arguments({}, std::vector<Disk>(65, disk("virtio")), {"pc", {}, false})}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unsupported);
  }
  EXPECT_THAT(machine_arguments({}, {disk("f\x1b[dc")}, {"pc", {}, false}).error().message, AllOf(HasSubstr("disk vda is on bus f\\x1B[dc"), Not(HasSubstr("\x1b"))));
}

TEST(Machine, disks_start_in_the_order_that_the_machine_says_or_one_after_the_other) {
  EXPECT_THAT(words({}, {disk(""), disk("")}), AllOf(HasSubstr("drive=disk0,bootindex=1"), HasSubstr("drive=disk1,bootindex=2")));
  EXPECT_THAT(words({}, {disk("", 2), disk("", 1)}), AllOf(HasSubstr("drive=disk0,bootindex=2"), HasSubstr("drive=disk1,bootindex=1")));
  const auto one = words({}, {disk(""), disk("", 1), disk("", 1)});
  EXPECT_THAT(one, AllOf(HasSubstr("drive=disk0 "), HasSubstr("drive=disk1,bootindex=1"), HasSubstr("drive=disk2 ")));
}

TEST(Machine, words_of_the_xml_cannot_add_an_option) {
  Hardware hardware;
  hardware.uuid = "x,driver=file";
  const auto text = words(hardware, {disk("virtio", 0, "a,b=c d\"'é-1.2_3")});
  EXPECT_THAT(text, AllOf(HasSubstr(",serial=abcd-1.2_3 "), Not(HasSubstr("driver=file"))));
  hardware.uuid = "a7d6c2f0-2f33-4b71-a2d5-000000000001";
  EXPECT_THAT(words(hardware, {}), HasSubstr("-uuid a7d6c2f0-2f33-4b71-a2d5-000000000001"));
}

TEST(Machine, memory_and_processors_are_its_own_within_bounds) {
  Hardware hardware;
  EXPECT_EQ(memory_of(hardware), 1024 * mib);
  EXPECT_EQ(processors_of(hardware), 2U);
  for (const auto& [own, given] : {std::pair{std::uint64_t{1}, 512 * mib}, {700 * mib + 5, 700 * mib}, {1ULL << 40U, 2048 * mib}}) {
    hardware.memory = own;
    EXPECT_EQ(memory_of(hardware), given);
  }
  for (const auto& [own, given] : {std::pair{1U, 1U}, {2U, 2U}, {64U, 2U}}) {
    hardware.processors = own;
    EXPECT_EQ(processors_of(hardware), given);
  }
}

TEST(Machine, a_type_that_this_qemu_does_not_have_becomes_its_own_of_that_family) {
  const auto known = machine_names("Supported machines are:\npc                   Standard PC\npc-i440fx-7.2        Standard PC\nq35                  x\npc-q35-7.2           x\nnone                 empty machine\n");
  EXPECT_THAT(known, AllOf(Contains("pc"), Contains("pc-q35-7.2"), Contains("none"), Not(Contains("Supported"))));
  struct Row {
    const char *wanted, *given;
  };
  for (const Row& row : std::vector<Row>{{"", "pc"}, {"pc", "pc"}, {"q35", "q35"}, {"pc-i440fx-7.2", "pc-i440fx-7.2"}, {"pc-i440fx-rhel7.6.0", "pc"},
                                         {"pc-i440fx-noble", "pc"}, {"pc-q35-7.2", "pc-q35-7.2"}, {"pc-q35-rhel9.4.0", "q35"}}) {
    const auto type = machine_type(row.wanted, known);
    ASSERT_TRUE(type) << row.wanted;
    EXPECT_EQ(*type, row.given) << row.wanted;
  }
  for (const char* other : {"microvm", "isapc", "virt-7.2", "pc,accel=kvm", "xenfv"}) {
    const auto type = machine_type(other, known);
    ASSERT_FALSE(type) << other;
    EXPECT_EQ(type.error().code, Errc::unsupported);
  }
}

TEST(Machine, firmware_comes_as_descriptors_and_its_variables_are_written_to_a_copy) {
  Hardware hardware;
  hardware.efi = hardware.secure = true;
  const auto split = words(hardware, {}, {"q35", FirmwareKind::split, false});
  EXPECT_THAT(split, AllOf(HasSubstr("-machine q35,usb=off,smm=on,pflash0=code,pflash1=variables"), HasSubstr("-add-fd fd=7,set=7"), HasSubstr("-add-fd fd=8,set=8"),
                           HasSubstr("property=secure,value=on"), HasSubstr(R"("node-name":"code","filename":"/dev/fdset/7","read-only":true)"),
                           HasSubstr(R"("node-name":"variables","filename":"/dev/fdset/8","read-only":false)")));
  hardware.secure = false;
  const auto whole = words(hardware, {}, {"pc", FirmwareKind::whole, false});
  EXPECT_THAT(whole, AllOf(HasSubstr("pflash0=code "), Not(HasSubstr("pflash1")), Not(HasSubstr("secure"))));
  EXPECT_THAT(words({}, {}), AllOf(HasSubstr("name=etc/sercon-port"), Not(HasSubstr("pflash"))));
}

}  // namespace
}  // namespace vmpatch::proof
