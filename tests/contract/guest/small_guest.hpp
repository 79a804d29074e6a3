#pragma once
// A small Debian-like guest with programs of this host in it, made by mke2fs, and its disks served as the product does it.

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <optional>
#include <sstream>

#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest::test {

using image::test::TempDir;

inline std::string run_tool(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  command.extra_env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  const auto output = run_checked(command);
  EXPECT_TRUE(output.has_value()) << (output ? "" : output.error().message);
  return output ? output->out : "";
}

/// A program of this host with its libraries.
inline void copy_program(const fs::path& root, const std::string& program, const std::string& as) {
  const auto copy = [&](const fs::path& from, const fs::path& to) {
    fs::create_directories((root / to.relative_path()).parent_path());
    fs::copy_file(from, root / to.relative_path(), fs::copy_options::overwrite_existing);
  };
  copy(fs::canonical(program), as);
  std::istringstream lines(run_tool({"ldd", program}));
  for (std::string word; lines >> word;) {
    if (word.starts_with("/")) copy(fs::canonical(word), word);
  }
}

inline void write_small_guest(const TempDir& dir, const std::string& name) {
  const auto put = [&](const std::string& path, const std::string& text) { dir.write(name + path, text); };
  put("/usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  put("/etc/fstab", "LABEL=root / ext4 errors=remount-ro 0 1\n/opt/real /opt/bound none rbind 0 0\n/opt/real/file /opt/it's none bind 0 0\n"
                    "nas:/old /opt/nas nfs ro 0 0\n/opt/nas/tool /opt/one none bind 0 0\ntmpfs /opt/memory tmpfs defaults 0 0\n");
  for (const char* path : {"/opt/real/file", "/opt/bound/hidden", "/opt/it's", "/opt/nas/tool", "/opt/one", "/opt/memory/hidden"}) put(path, path);
  put("/etc/passwd", "root:x:0:0:guest root:/root:/bin/sh\n");
  put("/etc/hostname", "small\n");
  put("/etc/machine-id", "");
  put("/etc/ssh/sshd_config", "# comment\nPermitRootLogin yes\nPort 22\nMatch User git\n    X11Forwarding no\n");
  put("/etc/ssh/ssh_host_ed25519_key", "not a key\n");
  put("/var/lib/dpkg/status", "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-2\n");
  put("/srv/hello", "hello\n");
  put("/srv/bytes", std::string("\0\xff\x80\n\0", 5));
  put("/srv/empty", "");
  put("/srv/large", std::string(3U << 20U, 'x'));
  put("/srv/odd \xff'name\n", "odd\n");
  const fs::path root = dir / name;
  for (const char* folder : {"run", "proc", "sys", "dev", "tmp", "root", "srv/folder"}) fs::create_directories(root / folder);
  fs::create_symlink("../usr/lib/os-release", root / "etc/os-release");
  fs::create_symlink("/srv/hello", root / "srv/absolute");
  fs::create_symlink("../../../../../../../../etc/passwd", root / "srv/outside");
  fs::create_symlink("nowhere", root / "srv/dangling");
  fs::create_symlink("loop", root / "srv/loop");
  EXPECT_EQ(::mkfifo((root / "srv/fifo").c_str(), 0600), 0);
  fs::permissions(root / "srv/hello", fs::perms(0641));
  copy_program(root, "/bin/sh", "/bin/sh");
  for (const char* program : {"cat", "tar", "timeout", "sleep", "env", "id", "true", "seq", "touch", "head", "ls"}) {
    copy_program(root, std::string("/bin/") + program, std::string("/bin/") + program);
  }
}

inline fs::path make_image(const TempDir& dir, const std::string& root, const std::string& name) {
  const fs::path image = dir / name;
  run_tool({"mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-E", "root_owner=0:0", "-d", (dir / root).string(), image.string(), "96M"});
  return image;
}

inline fs::path make_payload_disk(const TempDir& dir, const std::string& name, const std::map<std::string, std::string>& files) {
  const fs::path path = dir / name;
  archive* writer = archive_write_new();
  archive_write_set_format_iso9660(writer);
  EXPECT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  for (const auto& [file, content] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, file.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0444);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  EXPECT_EQ(archive_write_close(writer), ARCHIVE_OK);
  archive_write_free(writer);
  return path;
}

/// One machine's disk behind the product's own block server, with an overlay for writing.
struct ServedGuest {
  TempDir dir;
  NullLog log;
  std::optional<image::Chain> chain;
  std::optional<image::Chain> payload_chain;
  std::optional<image::OwnImage> overlay;
  std::optional<image::BlockServer> server;
  OpenRequest read;    ///< the base
  OpenRequest write;   ///< the overlay, with the payload disk
  OpenRequest verify;  ///< the overlay, read-only; exported by verify_overlay()

  ServedGuest() {
    write_small_guest(dir, "root");
    const fs::path disk = make_image(dir, "root", "disk.raw");
    const fs::path tar = dir / "hotfix.tar";
    dir.write("hotfix/opt/app/version", "2\n");
    run_tool({"tar", "-C", (dir / "hotfix").string(), "--owner=7", "--group=8", "-cf", tar.string(), "opt"});
    const fs::path payload = make_payload_disk(
        dir, "payload.iso", {{"libssl3_3.0.11-1~deb12u2_amd64.deb", "deb\n"}, {"hotfix.tar", *read_file(tar)}});
    chain = take(image::Chain::open(disk, image::Format::raw, {}));
    payload_chain = take(image::Chain::open(payload, image::Format::raw, {}));
    server = take(image::BlockServer::start({dir / "s", -1}));
    overlay = take(image::create_own_image(dir / "overlay.qcow2", chain->virtual_size(), &chain->top()));
    read = request(take(server->export_chain(*chain, "base")), true);
    write = request(take(server->export_overlay(*chain, *overlay, "disk0", true)), false);
    write.payload_disk = take(server->export_chain(*payload_chain, "payload"));
  }

  OpenRequest request(image::NbdExport source, bool read_only) {
    OpenRequest made;
    made.disks.push_back({std::move(source), read_only});
    made.work_dir = dir / "work";
    made.cache_dir = fs::path(VMPATCH_BINARY_DIR) / "guest-cache";
    return made;
  }

  /// After the writing guest has finished.
  void verify_overlay() {
    const auto removed = server->remove("disk0");
    ASSERT_TRUE(removed.has_value()) << removed.error().message;
    verify = request(take(server->export_overlay(*chain, *overlay, "verify", false)), true);
  }

  template <class T>
  static T take(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }
};

}  // namespace vmpatch::guest::test
