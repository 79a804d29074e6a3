#pragma once
// Guest disks from a folder (mke2fs -d, sfdisk), served by qemu-nbd: made by the field's own tools, not by our code.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "guest/direct/direct.hpp"
#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::guest::direct::test {

using image::test::TempDir;
namespace fs = std::filesystem;

inline std::string tool(std::vector<std::string> argv, std::string input = {}) {
  Command command;
  command.argv = std::move(argv);
  command.input = std::move(input);
  command.extra_env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  command.timeout = std::chrono::minutes(2);
  const auto output = run_checked(command);
  EXPECT_TRUE(output.has_value()) << output.error().message;
  return output ? output->out : std::string();
}

/// What makes a folder a root.
inline void write_root(const TempDir& dir, const std::string& name, const std::string& fstab = "") {
  dir.write(name + "/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  dir.write(name + "/etc/fstab", fstab);
  dir.write(name + "/etc/passwd", "root:x:0:0:guest root:/root:/bin/sh\n");
}

inline fs::path make_file_system(const TempDir& dir, const std::string& name, const fs::path& from,
                                 const std::vector<std::string>& options, const std::string& size = "64M") {
  const fs::path image = dir / name;
  std::vector<std::string> argv{"mke2fs", "-q", "-F"};
  argv.insert(argv.end(), options.begin(), options.end());
  if (!from.empty()) argv.insert(argv.end(), {"-d", from.string()});
  argv.insert(argv.end(), {image.string(), size});
  tool(std::move(argv));
  return image;
}

/// Copies `part` into `disk` at `offset`, keeping holes.
inline void put(const fs::path& part, const fs::path& disk, std::uint64_t offset) {
  tool({"dd", "if=" + part.string(), "of=" + disk.string(), "bs=64k", "conv=notrunc,sparse", "oflag=seek_bytes",
        "seek=" + std::to_string(offset), "status=none"});
}

inline void overwrite(const fs::path& file, std::uint64_t offset, std::string_view bytes) {
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(offset));
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good());
}

inline fs::path empty_disk(const TempDir& dir, const std::string& name, std::uint64_t size) {
  const fs::path disk = dir.write(name, "");
  fs::resize_file(disk, size);
  return disk;
}

inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  return bytes;
}

/// Makes a folder of ext2 in blocks of 4 KiB as large as `size`: behind its first twelve blocks every block is `content`,
/// because every pointer of its indirect blocks leads to one and the same block.
inline void repeat_block(const fs::path& image, const std::string& folder, std::string content, std::uint64_t size) {
  constexpr std::size_t block = 4096;
  constexpr std::size_t pointers = block / 4;
  const std::string free = tool({"debugfs", "-R", "ffb 4", image.string()});  // "Free blocks found: 1 2 3 4"
  std::vector<std::uint64_t> blocks;
  for (std::size_t at = free.find(':') + 1; at != std::string::npos && at + 1 < free.size(); at = free.find(' ', at + 1)) {
    if (const auto number = std::strtoull(free.c_str() + at + 1, nullptr, 10); number != 0) blocks.push_back(number);
  }
  ASSERT_EQ(blocks.size(), 4U) << free;
  std::string commands = fmt::format("set_inode_field {} size {}\n", folder, size);
  // Without a mark that they are in use the next folder would get them too.
  for (const std::uint64_t number : blocks) commands += fmt::format("setb {}\n", number);
  const std::array<const char*, 3> levels{"IND", "DIND", "TIND"};
  content.resize(block, '\0');
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    overwrite(image, blocks[i] * block, content);
    if (i == levels.size()) break;
    content.clear();
    for (std::size_t n = 0; n < pointers; ++n) content += little_endian(blocks[i], 4);
    commands += fmt::format("set_inode_field {} block[{}] {}\n", folder, levels.at(i), blocks[i + 1]);
  }
  tool({"debugfs", "-w", "-f", "-", image.string()}, commands);
}

/// A block of a folder: `count` entries whose names begin with `start`, all of one inode.
inline std::string folder_block(std::uint32_t inode, std::size_t count, const std::string& start) {
  std::string block;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = fmt::format("{}{:04}", start, i);
    const std::size_t size = i + 1 == count ? 4096 - block.size() : (8 + name.size() + 3) / 4 * 4;
    std::string entry = little_endian(inode, 4) + little_endian(size, 2) + little_endian(name.size(), 1) + little_endian(2, 1) + name;
    entry.resize(size, '\0');
    block += entry;
  }
  return block;
}

/// One disk behind qemu-nbd.
class Served {
 public:
  Served(const TempDir& dir, const fs::path& disk) {
    export_.socket = dir / (disk.filename().string() + ".sock");
    export_.size = fs::file_size(disk);
    Command command;
    command.argv = {"qemu-nbd",   "--persistent", "--read-only",
                    "--shared=4", "--format=raw", "--socket=" + export_.socket.string(),
                    disk.string()};
    auto started = Child::start(command);
    EXPECT_TRUE(started.has_value());
    if (started) child_ = std::move(*started);
    // The 20 s only bound a failure.
    for (int i = 0; i < 4000 && !accepts(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(accepts());
  }
  [[nodiscard]] const image::NbdExport& source() const { return export_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  [[nodiscard]] bool accepts() const {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, export_.socket.c_str(), sizeof address.sun_path - 1);
    const void* generic = &address;
    return ::connect(fd.get(), static_cast<const sockaddr*>(generic), sizeof address) == 0;
  }
  image::NbdExport export_;
  Child child_;
};

/// A machine of these disks, opened directly.
struct Machine {
  Machine(const TempDir& dir, const std::vector<fs::path>& disks) {
    std::vector<Connection> connections;
    for (const fs::path& disk : disks) {
      served.push_back(std::make_unique<Served>(dir, disk));
      const auto& source = served.back()->source();
      auto socket = image::connect(source);
      EXPECT_TRUE(socket.has_value());
      if (socket) connections.push_back({std::move(*socket), source.name, source.size});
    }
    guest = direct::open(std::move(connections), &hibernated);
  }
  std::vector<std::unique_ptr<Served>> served;
  bool hibernated = false;
  Result<std::unique_ptr<Guest>> guest = Error{};
};

/// nullopt = success.
template <class T>
std::optional<Errc> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

inline std::string error_of(const Machine& machine) {
  return machine.guest ? "it opened: " + (*machine.guest)->access()
                       : std::string(to_string(machine.guest.error().code)) + ": " + machine.guest.error().message;
}

}  // namespace vmpatch::guest::direct::test
