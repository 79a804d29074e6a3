#include "contract/guest/made_guests.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::guest::test {
namespace {

namespace fs = std::filesystem;
using image::test::TempDir;

constexpr std::uint64_t mib = 1U << 20U;
const std::string missing_uuid = "0e9e3ba2-33cf-4b43-9d0f-0d2f0a6d8f11";
const std::string var_uuid = "3e6be9de-8139-11d1-9106-a43f08d823a6";

/// `most` is the highest exit code that is no failure: e2fsck says 1 when it changed something.
std::string tool(std::vector<std::string> argv, std::string input = {}, int most = 0) {
  Command command;
  command.argv = std::move(argv);
  command.input = std::move(input);
  command.extra_env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  command.timeout = std::chrono::minutes(2);
  const auto output = run(command);
  EXPECT_TRUE(output.has_value()) << output.error().message;
  if (!output) return {};
  EXPECT_LE(output->exit_code, most) << command.argv[0] << ": " << output->out << output->err;
  return output->out;
}

struct Part {
  std::string folder;                  ///< in the temporary folder
  std::uint64_t start, size;           ///< MiB
  std::vector<std::string> options;    ///< of mke2fs
  bool optimize = false;               ///< e2fsck -D: indexes large folders
};

void put(const TempDir& dir, const fs::path& disk, const Part& part) {
  const fs::path image = dir / (part.folder + ".img");
  std::vector<std::string> argv{"mke2fs", "-q", "-F"};
  argv.insert(argv.end(), part.options.begin(), part.options.end());
  argv.insert(argv.end(), {"-d", dir / part.folder, image, fmt::format("{}M", part.size)});
  tool(std::move(argv));
  if (part.optimize) {
    tool({"e2fsck", "-fyD", image}, {}, 1);
    // Flags 0x1000 (the folder is indexed) and 0x80000 (extents) of an inode.
    const std::string about = tool({"debugfs", "-R", "stat /share/many", image});
    EXPECT_NE(about.find("Flags: 0x81000"), std::string::npos) << about;
  }
  tool({"dd", "if=" + image.string(), "of=" + disk.string(), "bs=64k", "conv=notrunc,sparse", "oflag=seek_bytes",
        fmt::format("seek={}", part.start * mib), "status=none"});
  fs::remove(image);
}

void write_sparse(const fs::path& path, std::uint64_t size, std::initializer_list<std::uint64_t> islands) {
  fs::create_directories(path.parent_path());
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
  ASSERT_GE(fd, 0);
  for (const std::uint64_t at : islands) ASSERT_EQ(::pwrite(fd, "island", 6, static_cast<off_t>(at)), 6);
  ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(size)), 0);
  ::close(fd);
}

/// chain/0 → chain/1 → … → chain/N → `end`.
void write_chain(const fs::path& folder, int links, const std::string& end) {
  fs::create_directories(folder);
  for (int i = 0; i < links; ++i) fs::create_symlink(i + 1 == links ? end : std::to_string(i + 1), folder / std::to_string(i));
}

/// An x86_64 program as far as its header goes.
const std::string elf("\x7f" "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0 the rest", 29);

std::string dpkg_status() {
  std::string text;
  for (int i = 0; i < 1500; ++i) {
    text += fmt::format("Package: package-{}\nStatus: {}\nArchitecture: {}\nSource: source-{} (1:{}-1)\nVersion: 1:{}-1+b{}\n"
                        "Description: one of many\n and more\n\n",
                        i, i % 50 == 0 ? "hold ok installed" : i % 70 == 0 ? "install ok half-configured" : "install ok installed",
                        i % 3 == 0 ? "all" : "amd64", i / 4, i, i, i % 5);
  }
  return text;
}

void write_common(const TempDir& dir, const std::string& fstab) {
  for (const char* folder : {"root/boot", "root/var", "root/usr", "root/run", "root/proc", "root/sys", "root/dev"}) {
    fs::create_directories(dir / folder);
  }
  dir.write("root/etc/fstab", fstab);
  dir.write("root/etc/hostname", "made\n");
  dir.write("root/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  dir.write("root/etc/ssh/ssh_host_ed25519_key", "not a key\n");
  fs::create_symlink("../run/resolv.conf", dir / "root/etc/resolv.conf");
  for (const char* name : {"bin", "sbin", "lib"}) fs::create_symlink(std::string("usr/") + name, dir / ("root/" + std::string(name)));
  write_chain(dir / "root/chain", 39, "../etc/hostname");
  write_chain(dir / "root/long-chain", 45, "../etc/hostname");
  fs::create_symlink("loop", dir / "root/loop");
  fs::create_symlink("/usr/share/doc/../../bin/sh", dir / "root/through");
  write_sparse(dir / "root/sparse", 40 * mib + 5, {0, 12 * mib + 4093, 40 * mib - 1});
  dir.write("usr/bin/sh", elf);
  dir.write("usr/share/doc/large", std::string(700'000, 'd') + std::string(700'000, 'e'));
  dir.write("usr/share/doc/odd \xff'name\n\x1b", "odd\n");
  write_sparse(dir / "usr/share/holes", 70 * mib, {70 * mib - 6});
  std::string far;
  for (int i = 0; i < 100; ++i) far += "ab/";
  fs::create_symlink(far + "c", dir / "usr/share/long-link");
  dir.write("var/log/messages", std::string(300'000, 'm'));
}

}  // namespace

fs::path make_gpt_guest(const TempDir& dir) {
  write_common(dir, "PARTUUID=6a5c1f7e-0b1d-4e0c-9c1b-3d2e1f0a9b8c / ext4 errors=remount-ro 0 1\n"
                    "LABEL=the-boot /boot ext2 defaults 0 2\nUUID=" + var_uuid + " /var ext3 nosuid,nodev 0 2\n"
                    "LABEL=the-usr /usr ext4 ro 0 2\nproc /proc proc defaults 0 0\n"
                    "UUID=" + missing_uuid + " /closed ext4 defaults 0 2\n/dev/disk/by-id/ata-1 /nowhere ext4 defaults 0 2\n"
                    "/srv/tools.iso /mnt iso9660 loop,ro 0 0\nshare /srv vboxsf defaults 0 0\n");
  fs::create_directories(dir / "root/closed");
  fs::create_symlink("../usr/lib/os-release", dir / "root/etc/os-release");
  dir.write("usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  dir.write("usr/lib/systemd/systemd", elf);
  fs::create_directories(dir / "usr/sbin");
  fs::create_symlink("/lib/systemd/systemd", dir / "usr/sbin/init");
  dir.write("usr/lib/modules/6.1.0-13-amd64/modules.dep", "");
  for (const char* version : {"6.1.0-13-amd64", "6.1.0-9-amd64"}) {
    dir.write(fmt::format("boot/vmlinuz-{}", version), std::string(100'000, 'k'));
    dir.write(fmt::format("boot/initrd.img-{}", version), std::string(900'000, 'i'));
  }
  dir.write("boot/grub/grub.cfg", "set default=\"${saved_entry}\"\nmenuentry 'a' --id a {\n linux /vmlinuz-6.1.0-13-amd64 ro\n}\n"
                                  "menuentry 'b' --id b {\n linux /vmlinuz-6.1.0-9-amd64 ro\n}\n");
  dir.write("boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=b\n####");
  dir.write("var/lib/dpkg/status", dpkg_status());
  dir.write("var/lib/dpkg/updates/0001", "x");
  dir.write("var/lib/systemd/random-seed", "seed");
  dir.write("var/lib/cloud/instances/i-1/datasource", "none");
  fs::create_symlink("/var/lib/cloud/instances/i-1", dir / "var/lib/cloud/instance");
  for (int i = 0; i < many_entries; ++i) dir.write(fmt::format("usr/share/many/entry-{}", i), i % 1000 == 0 ? fmt::format("content {}\n", i) : "");
  const fs::path disk = dir.write("gpt.raw", "");
  fs::resize_file(disk, 340 * mib);
  tool({"sfdisk", "-q", disk},
       "label: gpt\n1: start=2048,size=32768\n2: start=34816,size=131072,uuid=6A5C1F7E-0B1D-4E0C-9C1B-3D2E1F0A9B8C\n"
       "3: start=165888,size=98304\n4: start=264192,size=409600\n");
  put(dir, disk, {"boot", 1, 16, {"-t", "ext2", "-b", "1024", "-L", "the-boot"}});
  put(dir, disk, {"root", 17, 64, {"-t", "ext4", "-b", "4096"}});
  put(dir, disk, {"var", 81, 48, {"-t", "ext3", "-b", "4096", "-U", var_uuid}});
  put(dir, disk, {"usr", 129, 200, {"-t", "ext4", "-b", "4096", "-O", "64bit,metadata_csum,inline_data", "-L", "the-usr", "-N", "40000"}, true});
  return disk;
}

fs::path make_mbr_guest(const TempDir& dir) {
  write_common(dir, "/dev/vda2 / ext4 defaults 0 1\n/dev/vda1 /boot ext3 defaults 0 2\n/dev/vda5 /var ext4 defaults 0 2\n"
                    "/dev/vda6 /usr ext2 defaults 0 2\n");
  dir.write("root/etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME=\"Alpine Linux v3.20\"\n");
  dir.write("root/etc/inittab", "::sysinit:/sbin/openrc sysinit\n");
  dir.write("boot/extlinux.conf", "DEFAULT menu.c32\nLABEL lts\n  MENU DEFAULT\n  LINUX vmlinuz-lts\n");
  dir.write("boot/vmlinuz-lts", std::string(50'000, 'k'));
  dir.write("boot/initramfs-lts", std::string(50'000, 'i'));
  dir.write("usr/lib/modules/6.6.36-0-lts/modules.dep", "");
  dir.write("usr/lib/apk/db/installed", "C:Q1p78yvTLG094tHE1+dToJGbmYzQE=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\n"
                                        "C:Q1p78yvTLG094tHE1+dToJGbmYzQE=\nP:libcrypto3\nV:3.3.1-r0\nA:x86_64\no:openssl\n\n");
  dir.write("var/tiny", "inline");
  for (int i = 0; i < 40; ++i) dir.write(fmt::format("var/few/{}", i), std::string(static_cast<std::size_t>(i) * 7, 'f'));
  const fs::path disk = dir.write("mbr.raw", "");
  fs::resize_file(disk, 260 * mib);
  tool({"sfdisk", "-q", disk},
       "label: dos\nlabel-id: 0x1234abcd\n1: start=2048,size=32768,type=83\n2: start=34816,size=131072,type=83\n"
       "4: start=165888,size=360448,type=5\n5: start=167936,size=65536,type=83\n6: start=235520,size=266240,type=83\n");
  put(dir, disk, {"boot", 1, 16, {"-t", "ext3", "-b", "1024", "-J", "size=4"}});
  put(dir, disk, {"root", 17, 64, {"-t", "ext4", "-b", "1024", "-O", "^64bit,^metadata_csum"}});
  put(dir, disk, {"var", 82, 32, {"-t", "ext4", "-b", "1024", "-O", "inline_data"}});
  put(dir, disk, {"usr", 115, 130, {"-t", "ext2", "-b", "4096"}});
  return disk;
}

}  // namespace vmpatch::guest::test
