#include <gtest/gtest.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

std::string domain(const std::string& disks, const std::string& more = "") {
  return "<domain type='kvm'><name>web01</name><uuid>A7D6C2F0-2F33-4B71-A2D5-000000000001</uuid>" + more + "<devices>" + disks +
         "</devices></domain>";
}

Disk only_disk(const std::string& xml) {
  const auto machine = parse_domain_xml(domain(xml), "web01");
  if (!machine) throw std::runtime_error(machine.error().message);
  return machine->disks.at(0);
}

TEST(DomainXml, name_uuid_and_type_are_read) {
  const auto machine = parse_domain_xml(domain(""), "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->name, "web01");
  EXPECT_EQ(machine->uuid, "a7d6c2f0-2f33-4b71-a2d5-000000000001");
  EXPECT_EQ(machine->domain_type, "kvm");
  EXPECT_TRUE(machine->disks.empty());
}

TEST(DomainXml, entities_of_xml_itself_are_decoded) {
  const auto machine = parse_domain_xml("<domain><name>a&lt;&amp;&#x62;</name><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid></domain>", "x");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->name, "a<&b");
}

TEST(DomainXml, file_disk_with_all_flags) {
  const Disk disk = only_disk(
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/a&amp;b.qcow2'/><target dev='vda' bus='virtio'/>"
      "<readonly/><shareable/><transient/></disk>");
  EXPECT_EQ(disk.target, "vda");
  EXPECT_EQ(disk.source, fs::path("/srv/a&b.qcow2"));
  EXPECT_EQ(disk.source_kind, "file");
  EXPECT_EQ(disk.format, "qcow2");
  EXPECT_TRUE(disk.read_only);
  EXPECT_TRUE(disk.shareable);
  EXPECT_TRUE(disk.transient);
  EXPECT_EQ(disk.configured_chain, std::nullopt);
  EXPECT_EQ(disk.problem, "");
}

TEST(DomainXml, block_disk_names_its_device) {
  const Disk disk = only_disk("<disk type='block'><driver type='raw'/><source dev='/dev/vg/web'/><target dev='sda'/></disk>");
  EXPECT_EQ(disk.source, fs::path("/dev/vg/web"));
  EXPECT_EQ(disk.source_kind, "block");
}

TEST(DomainXml, volume_disk_keeps_pool_and_volume_for_libvirt) {
  const Disk disk = only_disk("<disk type='volume'><driver type='qcow2'/><source pool='images' volume='web.qcow2'/><target dev='vda'/></disk>");
  EXPECT_EQ(disk.source, std::nullopt);
  EXPECT_EQ(disk.pool, "images");
  EXPECT_EQ(disk.volume, "web.qcow2");
}

TEST(DomainXml, network_disk_has_a_kind_and_no_source) {
  const Disk disk = only_disk("<disk type='network'><driver type='raw'/><source protocol='rbd' name='p/i'/><target dev='vda'/></disk>");
  EXPECT_EQ(disk.source, std::nullopt);
  EXPECT_EQ(disk.source_kind, "network");
}

TEST(DomainXml, directory_and_vhostuser_disks_have_no_source) {
  EXPECT_EQ(only_disk("<disk type='dir'><source dir='/srv'/><target dev='vda'/></disk>").source, std::nullopt);
  EXPECT_EQ(only_disk("<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda'/></disk>").source, std::nullopt);
}

TEST(DomainXml, missing_driver_type_is_no_format) {
  EXPECT_EQ(only_disk("<disk type='file'><source file='/a'/><target dev='vda'/></disk>").format, std::nullopt);
  EXPECT_EQ(only_disk("<disk type='file'><driver name='qemu'/><source file='/a'/><target dev='vda'/></disk>").format, std::nullopt);
}

TEST(DomainXml, cdrom_is_read_only_and_may_be_empty) {
  const Disk disk = only_disk("<disk type='file' device='cdrom'><target dev='sdb'/></disk>");
  EXPECT_TRUE(disk.read_only);
  EXPECT_FALSE(disk.is_drive());
  EXPECT_EQ(disk.source, std::nullopt);
}

TEST(DomainXml, nested_backing_store_is_a_chain_nearest_first) {
  const Disk disk = only_disk(
      "<disk type='file'><driver type='qcow2'/><source file='/c'/><target dev='vda'/>"
      "<backingStore type='file'><format type='qcow2'/><source file='/b'/>"
      "<backingStore type='block'><format type='raw'/><source dev='/dev/a'/><backingStore/></backingStore></backingStore></disk>");
  ASSERT_TRUE(disk.configured_chain);
  ASSERT_EQ(disk.configured_chain->size(), 2U);
  EXPECT_EQ(disk.configured_chain->at(0), (std::pair<fs::path, image::Format>("/b", image::Format::qcow2)));
  EXPECT_EQ(disk.configured_chain->at(1), (std::pair<fs::path, image::Format>("/dev/a", image::Format::raw)));
  EXPECT_EQ(disk.problem, "");
}

TEST(DomainXml, empty_backing_store_is_a_chain_of_length_zero) {
  const Disk disk = only_disk("<disk type='file'><driver type='qcow2'/><source file='/c'/><target dev='vda'/><backingStore/></disk>");
  ASSERT_TRUE(disk.configured_chain);
  EXPECT_TRUE(disk.configured_chain->empty());
}

TEST(DomainXml, backing_store_without_format_is_a_problem) {
  const Disk disk = only_disk("<disk type='file'><driver type='qcow2'/><source file='/c'/><target dev='vda'/>"
                              "<backingStore type='file'><source file='/b'/><backingStore/></backingStore></disk>");
  EXPECT_NE(disk.problem.find("no format for backing file /b"), std::string::npos) << disk.problem;
}

TEST(DomainXml, backing_store_on_the_network_is_a_problem) {
  const Disk disk = only_disk("<disk type='file'><driver type='qcow2'/><source file='/c'/><target dev='vda'/>"
                              "<backingStore type='network'><format type='raw'/><source protocol='nbd'/></backingStore></disk>");
  EXPECT_NE(disk.problem.find("kind network"), std::string::npos) << disk.problem;
}

TEST(DomainXml, mirror_slices_and_encryption_are_problems) {
  const std::string start = "<disk type='file'><driver type='raw'/><target dev='vda'/>";
  EXPECT_NE(only_disk(start + "<source file='/a'/><mirror type='file' job='copy'/></disk>").problem.find("block job"), std::string::npos);
  EXPECT_NE(only_disk(start + "<source file='/a'><slices/></source></disk>").problem.find("slice"), std::string::npos);
  EXPECT_NE(only_disk(start + "<source file='/a'><encryption format='luks'/></source></disk>").problem.find("encrypted"), std::string::npos);
  EXPECT_NE(only_disk(start + "<source file='/a'/><encryption format='luks'/></disk>").problem.find("encrypted"), std::string::npos);
}

TEST(DomainXml, relative_source_is_a_problem) {
  EXPECT_NE(only_disk("<disk type='file'><source file='a.img'/><target dev='vda'/></disk>").problem.find("not absolute"), std::string::npos);
}

TEST(DomainXml, own_metadata_is_read_by_namespace) {
  const auto machine = parse_domain_xml(
      domain("", "<metadata><p:vm-patch xmlns:p='https://vm-patch.org/domain/1' role='template' group='web' criticality='high' "
                 "exposure='internet'/></metadata>"), "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->metadata.role, "template");
  EXPECT_EQ(machine->metadata.group, "web");
  EXPECT_EQ(machine->metadata.criticality, "high");
  EXPECT_EQ(machine->metadata.exposure, "internet");
}

TEST(DomainXml, metadata_of_another_namespace_is_not_ours) {
  const auto machine = parse_domain_xml(domain("", "<metadata><vm-patch xmlns='https://example.org/' role='template'/></metadata>"), "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->metadata.role, "");
}

TEST(DomainXml, kernel_and_nvram_are_other_files) {
  const auto machine = parse_domain_xml(domain("", "<os><kernel>/boot/k</kernel><nvram template='/t'>/var/n.fd</nvram></os>"), "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->other_files, (std::vector<fs::path>{"/boot/k", "/var/n.fd"}));
}

Hardware hardware_of(const std::string& more, const std::string& devices = "") {
  const auto machine = parse_domain_xml(domain(devices, more), "web01");
  if (!machine) throw std::runtime_error(machine.error().message);
  return machine->hardware;
}

TEST(DomainXml, hardware_is_read_as_libvirt_writes_it) {
  const auto hardware = hardware_of(
      "<memory unit='MiB'>1536</memory><vcpu placement='static'>4</vcpu><clock offset='localtime'/>"
      "<os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><firmware><feature enabled='yes' name='enrolled-keys'/>"
      "<feature enabled='yes' name='secure-boot'/></firmware><loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>"
      "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>/var/lib/libvirt/qemu/nvram/web01_VARS.fd</nvram></os>",
      "<controller type='usb'/><controller type='scsi' index='0' model='lsilogic'/><controller type='scsi' index='1' model='virtio-scsi'/>");
  EXPECT_EQ(hardware.arch, "x86_64");
  EXPECT_EQ(hardware.machine, "pc-q35-7.2");
  EXPECT_TRUE(hardware.efi);
  EXPECT_TRUE(hardware.secure);
  EXPECT_TRUE(hardware.loader_is_flash);
  EXPECT_EQ(hardware.loader, "/usr/share/OVMF/OVMF_CODE_4M.ms.fd");
  EXPECT_EQ(hardware.nvram, "/var/lib/libvirt/qemu/nvram/web01_VARS.fd");
  EXPECT_EQ(hardware.nvram_template, "/usr/share/OVMF/OVMF_VARS_4M.ms.fd");
  EXPECT_EQ(hardware.firmware_format, "");
  EXPECT_EQ(hardware.memory, 1536ULL << 20U);
  EXPECT_EQ(hardware.vcpus, 4U);
  EXPECT_EQ(hardware.scsi_model, "lsilogic");
  EXPECT_TRUE(hardware.local_time);
}

TEST(DomainXml, hardware_that_is_not_said_is_left_open) {
  const auto hardware = hardware_of("");
  EXPECT_EQ(hardware.machine, "");
  EXPECT_FALSE(hardware.efi);
  EXPECT_EQ(hardware.memory, 0U);
  EXPECT_EQ(hardware.vcpus, 0U);
  EXPECT_FALSE(hardware_of("<os><type>hvm</type><loader type='rom'>/usr/share/seabios/bios.bin</loader></os>").efi);
  EXPECT_TRUE(hardware_of("<os firmware='efi'><type>hvm</type></os>").efi);
  EXPECT_EQ(hardware_of("<os><nvram format='qcow2' type='file'><source file='/n.qcow2'/></nvram></os>").firmware_format, "qcow2");
  EXPECT_EQ(hardware_of("<os><nvram type='file'><source file='/n.fd'/></nvram></os>").nvram, "/n.fd");
  EXPECT_EQ(hardware_of("<os><kernel>/boot/vmlinuz</kernel></os>").kernel, "/boot/vmlinuz");
}

TEST(DomainXml, memory_has_units_and_what_is_no_size_is_none) {
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, std::uint64_t>>{{"<memory>1024</memory>", 1ULL << 20U},
                                                                                       {"<memory unit='b'>4096</memory>", 4096},
                                                                                       {"<memory unit='KB'>2</memory>", 2000},
                                                                                       {"<memory unit='G'> 2 </memory>", 2ULL << 30U},
                                                                                       {"<memory unit='parsec'>2</memory>", 0},
                                                                                       {"<memory unit='TiB'>99999999999</memory>", 0},
                                                                                       {"<memory>-1</memory>", 0},
                                                                                       {"<memory>1k</memory>", 0}}) {
    EXPECT_EQ(hardware_of(text).memory, bytes) << text;
  }
}

TEST(DomainXml, bus_of_a_disk_is_said_or_follows_from_its_target) {
  for (const auto& [xml, bus] : std::vector<std::pair<std::string, std::string>>{{"<target dev='vda'/>", "virtio"},
                                                                                  {"<target dev='sda'/>", "scsi"},
                                                                                  {"<target dev='sda' bus='sata'/>", "sata"},
                                                                                  {"<target dev='hda'/>", "ide"},
                                                                                  {"<target dev='xvda'/>", "xen"},
                                                                                  {"<target dev='nvme0'/>", ""}}) {
    EXPECT_EQ(only_disk("<disk type='file'><source file='/a'/>" + xml + "</disk>").bus, bus) << xml;
  }
  const auto disk = only_disk("<disk type='file'><source file='/a'/><target dev='vda'/><boot order='2'/><serial> WD-1 </serial></disk>");
  EXPECT_EQ(disk.boot_order, 2U);
  EXPECT_EQ(disk.serial, "WD-1");
  EXPECT_EQ(only_disk("<disk type='file'><source file='/a'/><target dev='vda'/><boot order='x'/></disk>").boot_order, 0U);
}

}  // namespace
}  // namespace vmpatch::inventory
