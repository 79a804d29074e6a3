#include "vmpatch/image/block_server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "integration/image/qemu_tools.hpp"
#include "vmpatch/image/extents.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

MATCHER_P2(Piece, offset, length, "") {
  return arg.offset == static_cast<std::uint64_t>(offset) && arg.length == static_cast<std::uint64_t>(length);
}

class BlockServerTest : public testing::Test {
 protected:
  void SetUp() override {
    create_image(base_, Format::qcow2, "8M");
    write_image(base_, Format::qcow2, {"write -P 17 0 8M"});
    create_image(raw_, Format::raw, "8M");
    write_image(raw_, Format::raw, {"write -P 34 0 4M"});
    // Readable for root alone: QEMU lives on the descriptors.
    for (const auto& file : {base_, raw_}) ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  }
  BlockServer start(int log_fd = -1) { return value_of(BlockServer::start({dir_ / "s", log_fd})); }
  Chain chain() const { return value_of(Chain::open(base_, Format::qcow2, {})); }

  TempDir dir_;
  fs::path base_ = dir_ / "base.qcow2";
  fs::path raw_ = dir_ / "base.raw";
};

TEST_F(BlockServerTest, a_chain_is_served_read_only) {
  auto server = start();
  for (const auto& [path, format] : {std::pair{base_, Format::qcow2}, std::pair{raw_, Format::raw}}) {
    const auto opened = value_of(Chain::open(path, format, {}));
    const auto disk = value_of(server.export_chain(opened, path.filename()));
    EXPECT_EQ(disk.size, 8U << 20U);
    EXPECT_FALSE(disk.writable);
    EXPECT_TRUE(same_content(path, format, disk.uri(), Format::raw));
    EXPECT_NE(run_tool({"qemu-io", "-f", "raw", "-c", "write 0 512", disk.uri()}).exit_code, 0);
  }
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, a_throw_away_layer_takes_what_is_written_over_an_overlay_and_shows_it_again) {
  const auto opened = chain();
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  auto server = start();
  write_export(value_of(server.export_overlay(opened, overlay, "w", true)), {"write -P 51 1M 64k"});
  expect_ok(server.remove("w"));
  const auto before = file_digest(dir_ / "overlay.qcow2");
  const auto base_before = file_digest(base_);
  const auto layer = value_of(create_own_image(dir_ / "layer.qcow2", opened.virtual_size(), nullptr));
  const auto disk = value_of(server.export_throw_away(opened, overlay, layer, "t"));
  EXPECT_TRUE(disk.writable);
  write_export(disk, {"read -P 51 1M 64k", "read -P 17 2M 64k", "write -P 68 2M 64k", "discard 1M 64k"});
  expect_ok(server.remove("t"));
  write_export(value_of(server.export_throw_away(opened, overlay, layer, "t")), {"read -P 68 2M 64k", "read -P 17 3M 64k"});
  expect_ok(server.remove("t"));
  EXPECT_EQ(file_digest(dir_ / "overlay.qcow2"), before);
  EXPECT_EQ(file_digest(base_), base_before);
  const auto small = value_of(create_own_image(dir_ / "small.qcow2", 1U << 20U, nullptr));
  EXPECT_FALSE(server.export_throw_away(opened, overlay, small, "t"));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, a_chain_of_three_layers_is_served) {
  must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", (dir_ / "mid.qcow2").native()});
  write_image(dir_ / "mid.qcow2", Format::qcow2, {"write -P 1 1M 64k"});
  must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "mid.qcow2", (dir_ / "top.qcow2").native()});
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write -P 2 2M 64k"});
  const auto opened = value_of(Chain::open(dir_ / "top.qcow2", Format::qcow2, {}));
  auto server = start();
  const auto disk = value_of(server.export_chain(opened, "vda"));
  EXPECT_TRUE(same_content(dir_ / "top.qcow2", Format::qcow2, disk.uri(), Format::raw));
  expect_ok(server.stop());
}

/// The program that runs as `pid`.
std::string program_of(pid_t pid) { return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe").filename(); }

TEST_F(BlockServerTest, a_server_for_reading_serves_compressed_chains_by_the_small_qemu) {
  const auto top = dir_ / "top.qcow2";
  must({"qemu-img", "convert", "-c", "-f", "qcow2", "-O", "qcow2", base_.native(), (dir_ / "compressed.qcow2").native()});
  must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "compressed.qcow2", top.native()});
  write_image(top, Format::qcow2, {"write -P 2 2M 64k"});
  const auto opened = value_of(Chain::open(top, Format::qcow2, {}));
  auto server = value_of(BlockServer::start({dir_ / "s", -1, true}));
  const auto disk = value_of(server.export_chain(opened, "vda"));
  EXPECT_EQ(program_of(server.pid()), "qemu-system-x86_64-microvm");
  EXPECT_TRUE(same_content(top, Format::qcow2, disk.uri(), Format::raw));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, zstd_is_told_by_the_header_and_served_by_the_full_qemu) {
  const auto image = dir_ / "zstd.qcow2";
  must({"qemu-img", "convert", "-c", "-f", "qcow2", "-O", "qcow2", "-o", "compression_type=zstd", base_.native(), image.native()});
  const auto opened = value_of(Chain::open(image, Format::qcow2, {}));
  EXPECT_TRUE(opened.top().header->zstd);
  EXPECT_FALSE(chain().top().header->zstd);
  auto server = start();
  EXPECT_EQ(program_of(server.pid()), "qemu-system-x86_64");
  EXPECT_TRUE(same_content(image, Format::qcow2, value_of(server.export_chain(opened, "vda")).uri(), Format::raw));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, both_qemus_run_without_privileges_under_a_system_call_filter) {
  for (const bool reading : {false, true}) {
    auto server = value_of(BlockServer::start({dir_ / "s", -1, reading}));
    std::ifstream file("/proc/" + std::to_string(server.pid()) + "/status");
    const std::string status((std::istreambuf_iterator<char>(file)), {});
    EXPECT_NE(status.find("\nSeccomp:\t2\n"), std::string::npos) << status;
    EXPECT_NE(status.find("\nNoNewPrivs:\t1\n"), std::string::npos) << status;
    EXPECT_NE(status.find("\nCapEff:\t0000000000000000\n"), std::string::npos) << status;
    expect_ok(server.stop());
  }
}

TEST_F(BlockServerTest, a_raw_disk_with_a_qcow2_header_is_served_as_raw) {
  const auto hostile = dir_ / "hostile.raw";
  must({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", hostile.native(), "10M"});
  fs::resize_file(hostile, 512U << 10U);
  const auto opened = value_of(Chain::open(hostile, Format::raw, {}));
  auto server = start();
  const auto disk = value_of(server.export_chain(opened, "vda"));
  EXPECT_EQ(disk.size, 512U << 10U);
  EXPECT_TRUE(same_content(hostile, Format::raw, disk.uri(), Format::raw));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, writes_go_to_the_overlay_only) {
  const auto before = file_digest(base_);
  const auto opened = chain();
  auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  auto server = start();
  const auto disk = value_of(server.export_overlay(opened, overlay, "vda", true));
  EXPECT_TRUE(disk.writable);
  write_export(disk, {"write -P 99 1M 128k", "write -z 3M 64k", "discard 5M 64k", "flush"});
  expect_ok(server.remove("vda"));
  expect_ok(server.stop());
  EXPECT_EQ(file_digest(base_), before);
  EXPECT_TRUE(sound(overlay.path));
  write_image(overlay.path, Format::qcow2, {"read -P 99 1M 128k", "read -P 0 3M 64k", "read -P 17 7M 1M"});
}

TEST_F(BlockServerTest, an_own_image_is_served_without_its_backing) {
  const auto image = value_of(create_own_image(dir_ / "undo.qcow2", 8U << 20U, nullptr));
  auto server = start();
  const auto disk = value_of(server.export_own(image, "undo", true));
  write_export(disk, {"write -P 5 0 64k", "flush"});
  expect_ok(server.stop());
  write_image(image.path, Format::qcow2, {"read -P 5 0 64k", "read -P 0 64k 1M"});
}

TEST_F(BlockServerTest, an_overlay_of_another_size_is_refused) {
  const auto opened = chain();
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", 4U << 20U, nullptr));
  auto server = start();
  EXPECT_EQ(server.export_overlay(opened, overlay, "vda", false).error().code, Errc::refused);
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, an_overlay_opened_read_only_is_not_exported_for_writing) {
  const auto opened = chain();
  value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  const auto overlay = value_of(open_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), false));
  auto server = start();
  EXPECT_FALSE(server.export_overlay(opened, overlay, "vda", true).has_value());
  EXPECT_TRUE(server.export_overlay(opened, overlay, "vda", false).has_value());
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, export_names_are_unique_and_free_again_after_removal) {
  const auto opened = chain();
  auto server = start();
  value_of(server.export_chain(opened, "vda"));
  EXPECT_FALSE(server.export_chain(opened, "vda").has_value());
  expect_ok(server.remove("vda"));
  EXPECT_TRUE(server.export_chain(opened, "vda").has_value());
  EXPECT_EQ(server.remove("vdb").error().code, Errc::not_found);
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, descriptors_are_given_back_with_an_export) {
  const auto opened = chain();
  auto server = start();
  const auto count = [&] {
    const fs::path folder = "/proc/" + std::to_string(server.pid()) + "/fd";
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator{});
  };
  value_of(server.export_chain(opened, "vda"));
  expect_ok(server.remove("vda"));
  const auto before = count();
  for (int i = 0; i < 20; ++i) {
    value_of(server.export_chain(opened, "vda"));
    expect_ok(server.remove("vda"));
  }
  EXPECT_EQ(count(), before);
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, the_server_is_unprivileged_and_confined) {
  auto server = start();
  const auto status = read_whole("/proc/" + std::to_string(server.pid()) + "/status");
  if (::geteuid() == 0) {
    struct stat folder {};
    ASSERT_EQ(::stat((dir_ / "s").c_str(), &folder), 0);
    EXPECT_TRUE(is_worker_account(folder.st_uid));
    EXPECT_THAT(status, HasSubstr("Uid:\t" + std::to_string(folder.st_uid)));
    EXPECT_THAT(status, HasSubstr("Groups:\t \n"));
  }
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  const auto limits = read_whole("/proc/" + std::to_string(server.pid()) + "/limits");
  EXPECT_THAT(limits, testing::ContainsRegex("Max address space +4294967296"));
  EXPECT_THAT(limits, testing::ContainsRegex("Max core file size +0"));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, the_socket_folder_is_private_and_goes_away) {
  {
    auto server = start();
    struct stat info {};
    ASSERT_EQ(::stat((dir_ / "s").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0700U);
    expect_ok(server.stop());
  }
  EXPECT_FALSE(fs::exists(dir_ / "s"));
}

TEST_F(BlockServerTest, a_socket_folder_left_by_a_killed_server_is_taken_over) {
  fs::create_directory(dir_ / "s");
  dir_.write("s/nbd.sock", "");
  {
    auto server = start();
    expect_ok(server.stop());
  }
  EXPECT_FALSE(fs::exists(dir_ / "s"));
}

TEST_F(BlockServerTest, a_file_in_place_of_the_socket_folder_is_refused) {
  dir_.write("s", "content");
  EXPECT_EQ(BlockServer::start({dir_ / "s", -1}).error().code, Errc::refused);
  EXPECT_EQ(read_whole(dir_ / "s"), "content");
}

TEST_F(BlockServerTest, the_destructor_ends_qemu) {
  pid_t pid = 0;
  {
    const auto server = start();
    pid = server.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_FALSE(fs::exists(dir_ / "s"));
}

TEST_F(BlockServerTest, a_dead_qemu_is_an_error_that_says_so) {
  const auto opened = chain();
  auto server = start();
  static_cast<void>(value_of(server.export_chain(opened, "up")));
  ASSERT_EQ(::kill(server.pid(), SIGTERM), 0);
  std::string message;
  // QEMU ends in an orderly way on SIGTERM and says who sent it.
  for (int i = 0; i < 200 && message.empty(); ++i) {
    const auto disk = server.export_chain(opened, "vda" + std::to_string(i));
    if (!disk) message = disk.error().message;
  }
  EXPECT_THAT(message, HasSubstr("ended"));
  EXPECT_THAT(message, HasSubstr("terminating on signal 15"));
  EXPECT_FALSE(server.stop().has_value());
}

TEST_F(BlockServerTest, messages_of_qemu_reach_the_log) {
  const UniqueFd log(::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const auto opened = chain();
  auto server = start(log.get());
  static_cast<void>(value_of(server.export_chain(opened, "up")));
  ASSERT_EQ(::kill(server.pid(), SIGTERM), 0);
  while (server.export_chain(opened, "vda").has_value()) static_cast<void>(server.remove("vda").has_value());
  EXPECT_THAT(read_whole(dir_ / "log"), HasSubstr("qemu: "));
}

TEST_F(BlockServerTest, an_export_with_a_reader_is_not_removed) {
  const auto opened = chain();
  auto server = start();
  const auto disk = value_of(server.export_chain(opened, "vda"));
  Command reader;
  reader.argv = {"stdbuf", "-oL", "qemu-io", "-r", "-f", "raw", "-c", "read 0 512", "-c", "sleep 60000", disk.uri()};
  const UniqueFd log(::open((dir_ / "io").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  auto child = value_of(Child::start(reader, log.get()));
  while (read_whole(dir_ / "io").find("read 512/512") == std::string::npos) ::usleep(10'000);
  EXPECT_EQ(server.remove("vda").error().code, Errc::busy);
  child.kill();
  expect_ok(server.remove("vda"));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, serving_works_under_our_own_locks) {
  const auto opened = chain();
  const auto lock = value_of(ChainLock::acquire(opened, Sharing::nobody));
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  auto server = start();
  write_export(value_of(server.export_overlay(opened, overlay, "vda", true)), {"write -P 1 0 64k"});
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, held_extents_are_what_the_overlay_holds) {
  const auto opened = chain();
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  auto server = start();
  const auto disk = value_of(server.export_overlay(opened, overlay, "vda", true));
  EXPECT_TRUE(value_of(held_extents(disk)).empty());
  write_export(disk, {"write -P 1 1M 64k", "write -P 1 1088k 64k", "write -P 1 3M 1k", "write -z 5M 64k", "discard 6M 64k"});
  const auto held = value_of(held_extents(disk));
  EXPECT_THAT(held, ElementsAre(Piece(1U << 20U, 131072), Piece(3U << 20U, 65536), Piece(5U << 20U, 65536),
                                Piece(6U << 20U, 65536)));
  EXPECT_EQ(total_length(held), 131072U + 3 * 65536U);
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, copied_extents_are_held_and_equal_zeros_included) {
  const auto opened = value_of(Chain::open(raw_, Format::raw, {}));
  const auto undo = value_of(create_own_image(dir_ / "undo.qcow2", opened.virtual_size(), nullptr));
  auto server = start();
  const auto from = value_of(server.export_chain(opened, "base"));
  const auto to = value_of(server.export_own(undo, "undo", true));
  const std::vector<Extent> extents{{1U << 20U, 65536}, {6U << 20U, 131072}};
  std::uint64_t last = 0;
  expect_ok(copy_extents(from, to, extents, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 196608U);
    EXPECT_GT(done, last);
    last = done;
  }));
  EXPECT_EQ(last, 196608U);
  expect_ok(compare_extents(from, to, extents));
  EXPECT_THAT(value_of(held_extents(to)), ElementsAre(Piece(1U << 20U, 65536), Piece(6U << 20U, 131072)));
  expect_ok(server.stop());
}

TEST_F(BlockServerTest, a_difference_is_found_with_its_offset) {
  const auto opened = chain();
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", opened.virtual_size(), &opened.top()));
  auto server = start();
  const auto base = value_of(server.export_chain(opened, "base"));
  const auto disk = value_of(server.export_overlay(opened, overlay, "vda", true));
  expect_ok(compare_extents(base, disk, {{0, 8U << 20U}}));
  write_export(disk, {"write -P 1 5000000 1"});
  const auto result = compare_extents(base, disk, {{0, 8U << 20U}});
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("offset 5000000"));
  expect_ok(compare_extents(base, disk, {{0, 4U << 20U}}));
  expect_ok(server.stop());
}

}  // namespace
}  // namespace vmpatch::image
