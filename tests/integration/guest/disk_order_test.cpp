// The kernel of the appliance may find the disks in another order than the machine has them. One appliance launch.
#include <algorithm>
#include <cstdlib>

#include "contract/guest/small_guest.hpp"
#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/file_systems.hpp"
#include "guest/guestfs/find_root.hpp"
#include "guest/guestfs/launch.hpp"
#include "guest/worker/appliance_folder.hpp"

namespace vmpatch::guest::test {
namespace {

/// Every disk of the machine on a controller of its own, behind that of the appliance's: the kernel numbers the appliance's
/// disk first. libguestfs sorts "0a" before "03" and leaves the appliance's disk out, so it names each disk one letter lower.
constexpr std::string_view qemu_with_late_disks = R"(#!/bin/bash
arguments=()
for argument in "$@"; do
  case $argument in
    scsi-hd,drive=hd0*) controller=late0 slot=0x0a ;;
    scsi-hd,drive=hd1*) controller=late1 slot=0x0c ;;
    scsi-hd,drive=hd2*) controller=late2 slot=0x0e ;;
    scsi-hd,*) argument+=,bus=scsi.0 ;&
    *) arguments+=("$argument"); continue ;;
  esac
  arguments+=("virtio-scsi-pci,id=$controller,addr=$slot" -device "$argument,bus=$controller.0")
done
exec qemu-system-x86_64 "${arguments[@]}"
)";

class DiskOrder : public testing::Test {
 protected:
  DiskOrder() {
    const fs::path qemu = served_.dir.write("qemu", std::string(qemu_with_late_disks));
    fs::permissions(qemu, fs::perms(0755));
    const fs::path blank = served_.dir.write("blank.raw", "");
    fs::resize_file(blank, 300U << 20U);
    chain_ = ServedGuest::take(image::Chain::open(blank, image::Format::raw, {}));
    overlay_ = ServedGuest::take(image::create_own_image(served_.dir / "blank.qcow2", chain_->virtual_size(), &chain_->top()));
    options_.disks = served_.write.disks;
    options_.disks.push_back({ServedGuest::take(served_.server->export_overlay(*chain_, *overlay_, "disk1", true)), false});
    options_.payload = served_.write.payload_disk;
    options_.tmp = served_.dir / "tmp";
    options_.appliance = ServedGuest::take(worker::ready_appliance(served_.read.cache_dir));
    options_.write = true;
    fs::create_directories(options_.tmp);
    ::setenv("LIBGUESTFS_HV", qemu.c_str(), 1);
    handle_ = ServedGuest::take(guestfs::launch(options_));
    ::unsetenv("LIBGUESTFS_HV");
  }

  void works(int status) const { ASSERT_NE(status, -1) << guestfs_last_error(handle_.get()); }

  /// A btrfs with a subvolume on the second disk, and a line for it in the guest's table.
  void make_data_disk() const {
    guestfs_h* g = handle_.get();
    const char* const disks[] = {"/dev/sdb", nullptr};
    works(guestfs_mkfs_btrfs(g, const_cast<char* const*>(disks), -1));
    works(guestfs_set_label(g, "/dev/sdb", "data"));
    works(guestfs_mount(g, "/dev/sdb", "/"));
    works(guestfs_btrfs_subvolume_create(g, "/@data"));
    works(guestfs_mkdir(g, "/@data/kept"));
    works(guestfs_umount_all(g));
    works(guestfs_mount(g, "/dev/sda", "/"));
    works(guestfs_mkdir(g, "/srv/data"));
    works(guestfs_mkdir(g, "/srv/lost"));
    const std::string lines = "LABEL=data /srv/data btrfs subvol=@data 0 0\nLABEL=no /srv/lost ext4 nofail 0 0\n";
    works(guestfs_write_append(g, "/etc/fstab", lines.data(), lines.size()));
    works(guestfs_umount_all(g));
  }

  ServedGuest served_;
  std::optional<image::Chain> chain_;
  std::optional<image::OwnImage> overlay_;
  guestfs::ApplianceOptions options_;
  guestfs::Handle handle_;
};

TEST_F(DiskOrder, of_the_kernel_changes_neither_names_nor_mounts_nor_checks) {
  guestfs_h* g = handle_.get();
  char list[] = "ls /dev/disk/by-path";
  char* command[] = {list, nullptr};
  const guestfs::CString paths(guestfs_debug(g, "sh", command));
  ASSERT_TRUE(paths && std::string_view(paths.get()).find(":00:0a.0-") != std::string_view::npos) << "the premise";
  make_data_disk();

  const auto all = guestfs::list_file_systems(g, "/dev/sdc");
  ASSERT_TRUE(all.has_value()) << all.error().message;
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ((*all)[1].device, "/dev/sdb");
  EXPECT_EQ((*all)[2].device, "btrfsvol:/dev/sdb/@data");
  EXPECT_EQ((*all)[2].block_device(), "/dev/sdb");
  EXPECT_EQ((*all)[2].subvolume, "@data");
  EXPECT_EQ((*all)[2].label, "data");
  EXPECT_NE((*all)[2].subvolume_id, 0U);

  auto found = guestfs::find_root(g, options_);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const auto at = [&](std::string_view where) -> const auto* {
    const auto found_at = std::find_if(found->mounts.begin(), found->mounts.end(), [&](const auto& mount) { return mount.planned.where == where; });
    return found_at == found->mounts.end() ? nullptr : &*found_at;
  };
  for (const char* where : {"/", "/srv/data", "/srv/lost"}) ASSERT_NE(at(where), nullptr) << where;
  EXPECT_EQ(at("/")->planned.file_system.device, "/dev/sda");
  EXPECT_TRUE(at("/srv/data")->writable);
  guestfs::ApplianceGuest guest(std::move(handle_), std::move(found->mounts), found->payload_device, false);
  for (const auto& [step, result] : {std::pair("mount", guest.mount_all()), std::pair("write", guest.write("/srv/data/kept/new", "new\n")),
                                     std::pair("check", guest.check_file_systems())}) {
    ASSERT_TRUE(result.has_value()) << step << ": " << result.error().message;
  }
  EXPECT_EQ(guest.read("/srv/data/kept/new", 10).value(), "new\n");
  EXPECT_EQ(guest.stat("/srv/lost/x").error().code, Errc::not_found);
  const auto payloads = guest.mount_payloads();
  ASSERT_TRUE(payloads.has_value()) << payloads.error().message;
  EXPECT_TRUE(guest.stat(*payloads + "/hotfix.tar").has_value());
  EXPECT_TRUE(guest.unmount_payloads().has_value());
  EXPECT_TRUE(guest.finish().has_value());
}

}  // namespace
}  // namespace vmpatch::guest::test
