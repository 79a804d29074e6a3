// The commit protocol: exact result, overlay untouched, and redo-able after a kill at any point.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <thread>

#include "integration/image/qemu_tools.hpp"
#include "vmpatch/image/extents.hpp"
#include "vmpatch/image/growth.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::HasSubstr;

struct BaseKind {
  const char* name;
  Format format;
  const char* options;
  bool has_backing = false;
};

std::ostream& operator<<(std::ostream& out, const BaseKind& kind) { return out << kind.name; }

class CommitTest : public testing::TestWithParam<BaseKind> {
 protected:
  static constexpr std::uint64_t size = 48U << 20U;

  void SetUp() override {
    make_base();
    flatten(pristine_, GetParam().format, dir_ / "old.raw");
    restore();
    write_overlay();
    flatten(dir_ / "overlay.qcow2", Format::qcow2, dir_ / "new.raw");
    old_ = file_digest(dir_ / "old.raw");
    new_ = file_digest(dir_ / "new.raw");
    overlay_digest_ = file_digest(dir_ / "overlay.qcow2");
    ASSERT_NE(old_, new_);
  }

  void make_base() {
    const auto& kind = GetParam();
    if (kind.has_backing) {
      create_image(dir_ / "bottom.qcow2", Format::qcow2, "48M");
      write_image(dir_ / "bottom.qcow2", Format::qcow2, {"write -P 200 0 48M"});
      must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "bottom.qcow2", "-o", kind.options,
            pristine_.native()});
    } else {
      create_image(pristine_, kind.format, "48M", kind.options);
    }
    write_image(pristine_, kind.format, {"write -P 1 0 10M", "write -P 2 15M 17M", "write -P 3 35M 3M"});
  }

  /// Data over data, over holes, odd sizes, zeros and discards over data.
  void write_overlay() {
    const auto opened = chain();
    const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", size, &opened.top()));
    auto server = start();
    write_export(value_of(server.export_overlay(opened, overlay, "vda", true)),
                 {"write -P 11 0 4M", "write -P 12 5M 12M", "write -P 13 20001k 3k", "write -P 14 25M 8M",
                  "write -z 30M 1M", "discard 37M 1M", "write -P 15 40M 5M", "flush"});
    expect_ok(server.stop());
  }

  void restore() { fs::copy_file(pristine_, base_, fs::copy_options::overwrite_existing); }
  Chain chain() const { return value_of(Chain::open(base_, GetParam().format, {})); }
  BlockServer start() { return value_of(BlockServer::start({dir_ / "s", -1})); }

  /// One attempt as recovery makes it: everything opened anew, under our locks.
  Result<void> commit(const std::function<void(BlockServer&)>& started, const Progress& progress = {}) {
    const auto opened = chain();
    const auto lock = value_of(ChainLock::acquire(opened, Sharing::nobody));
    const auto overlay = value_of(open_own_image(dir_ / "overlay.qcow2", size, false));
    const auto top = value_of(opened.open_top_writable());
    auto server = start();
    if (started) started(server);
    VMPATCH_CHECK(server.commit(opened, overlay, top.get(), progress));
    return server.stop();
  }

  /// How the base stands to the old content (first) and to the overlay's (second), where the overlay holds blocks.
  Relation relate() {
    const auto opened = chain();
    const auto pristine = value_of(Chain::open(pristine_, GetParam().format, {}));
    const auto overlay = value_of(open_own_image(dir_ / "overlay.qcow2", size, false));
    auto server = start();
    const auto now = value_of(server.export_chain(opened, "now"));
    const auto before = value_of(server.export_chain(pristine, "old"));
    const auto after = value_of(server.export_overlay(opened, overlay, "new", false));
    const auto relation = value_of(relate_extents(now, before, after, nullptr, value_of(held_extents(after)), {}));
    expect_ok(server.stop());
    return relation;
  }

  Digest content() {
    flatten(base_, GetParam().format, dir_ / "now.raw");
    return file_digest(dir_ / "now.raw");
  }

  void expect_committed() {
    EXPECT_EQ(content(), new_);
    EXPECT_EQ(file_digest(dir_ / "overlay.qcow2"), overlay_digest_);
    if (GetParam().format == Format::qcow2) {
      EXPECT_TRUE(sound(base_));
    }
  }

  TempDir dir_;
  fs::path pristine_ = dir_ / "pristine";
  fs::path base_ = dir_ / "base";
  Digest old_;
  Digest new_;
  Digest overlay_digest_;
};

TEST_P(CommitTest, the_base_gets_exactly_the_overlay_and_the_overlay_stays) {
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  expect_ok(commit({}, [&](std::uint64_t done, std::uint64_t all) {
    last = done;
    total = all;
  }));
  EXPECT_EQ(last, total);
  EXPECT_GE(total, 29U << 20U);
  expect_committed();
}

TEST_P(CommitTest, a_second_commit_changes_nothing) {
  expect_ok(commit({}));
  expect_ok(commit({}));
  expect_committed();
}

TEST_P(CommitTest, a_kill_inside_the_job_is_an_error_and_the_redo_is_exact) {
  pid_t qemu = 0;
  const auto killed = commit([&](const BlockServer& server) { qemu = server.pid(); },
                             [&](std::uint64_t, std::uint64_t) { ::kill(qemu, SIGKILL); });
  ASSERT_FALSE(killed.has_value());
  EXPECT_THAT(killed.error().message, HasSubstr("ended with code 137"));
  expect_ok(commit({}));
  expect_committed();
}

/// Returns at the first change of a file.
class FirstWrite {
 public:
  explicit FirstWrite(const fs::path& file) : events_(::inotify_init1(IN_CLOEXEC)) {
    EXPECT_GE(::inotify_add_watch(events_.get(), file.c_str(), IN_MODIFY), 0);
  }
  void wait() {
    std::array<char, 4096> event{};
    EXPECT_GT(::read(events_.get(), event.data(), event.size()), 0);
  }

 private:
  UniqueFd events_;
};

TEST_P(CommitTest, kills_in_the_middle_of_the_job_are_redone_exactly) {
  // When the kill comes after the first write is chance; so again until it has hit the middle.
  constexpr int most = 100;
  constexpr int wanted = 2;
  int torn = 0;
  for (int i = 0; i < most && torn < wanted; ++i) {
    restore();
    std::thread killer;
    const auto killed = commit([&](const BlockServer& server) {
      killer = std::thread([pid = server.pid(), first = std::make_shared<FirstWrite>(base_)] {
        first->wait();
        ::kill(pid, SIGKILL);
      });
    });
    killer.join();
    const auto between = content();
    if (between == old_ || between == new_) continue;
    ++torn;
    EXPECT_FALSE(killed.has_value());
    const auto relation = relate();
    EXPECT_EQ(relation.none, 0U);
    EXPECT_GT(relation.as_second, 0U);
    expect_ok(commit({}));
    expect_committed();
  }
  EXPECT_EQ(torn, wanted) << "no kill hit the middle: this proves nothing";
}

TEST_P(CommitTest, a_block_that_somebody_else_wrote_is_neither_old_nor_new) {
  expect_ok(commit({}));
  EXPECT_EQ(relate().none, 0U);
  write_image(base_, GetParam().format, {"write -P 77 1M 4k", "write -P 0 2M 1k"});
  const auto relation = relate();
  EXPECT_EQ(relation.none, 4096U);
  EXPECT_EQ(relation.zero, 1024U);
  EXPECT_EQ(relation.first_other, 1U << 20U);
}

TEST_P(CommitTest, the_undo_image_commits_the_old_content_back) {
  const auto undo_path = dir_ / "undo.qcow2";
  {
    const auto opened = chain();
    const auto overlay = value_of(open_own_image(dir_ / "overlay.qcow2", size, false));
    const auto undo = value_of(create_own_image(undo_path, size, &opened.top()));
    auto server = start();
    const auto from = value_of(server.export_chain(opened, "base"));
    const auto held = value_of(held_extents(value_of(server.export_overlay(opened, overlay, "overlay", false))));
    const auto to = value_of(server.export_overlay(opened, undo, "undo", true));
    expect_ok(copy_extents(from, to, held, {}));
    EXPECT_EQ(total_length(value_of(held_extents(to))), total_length(held));
    expect_ok(server.stop());
  }
  expect_ok(commit({}));
  EXPECT_EQ(content(), new_);
  fs::rename(undo_path, dir_ / "overlay.qcow2");
  expect_ok(commit({}));
  EXPECT_EQ(content(), old_);
}

INSTANTIATE_TEST_SUITE_P(Bases, CommitTest,
                         testing::Values(BaseKind{"qcow2", Format::qcow2, "compat=1.1"},
                                         BaseKind{"small_clusters", Format::qcow2, "cluster_size=4k"},
                                         BaseKind{"lazy_refcounts", Format::qcow2, "lazy_refcounts=on"},
                                         BaseKind{"old_version", Format::qcow2, "compat=0.10"},
                                         BaseKind{"large_clusters_on_backing", Format::qcow2, "cluster_size=2M", true},
                                         BaseKind{"raw", Format::raw, ""}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(Commit, a_descriptor_of_another_file_is_refused) {
  const TempDir dir;
  create_image(dir / "base.raw", Format::raw, "1M");
  create_image(dir / "other.raw", Format::raw, "1M");
  const auto chain = value_of(Chain::open(dir / "base.raw", Format::raw, {}));
  const auto other = value_of(value_of(Chain::open(dir / "other.raw", Format::raw, {})).open_top_writable());
  const auto overlay = value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  auto server = value_of(BlockServer::start({dir / "s", -1}));
  EXPECT_FALSE(server.commit(chain, overlay, other.get(), {}).has_value());
  EXPECT_FALSE(server.commit(chain, overlay, chain.top().fd.get(), {}).has_value());
  expect_ok(server.stop());
}

TEST(Commit, an_export_of_the_same_chain_must_be_removed_first) {
  const TempDir dir;
  create_image(dir / "base.raw", Format::raw, "1M");
  const auto chain = value_of(Chain::open(dir / "base.raw", Format::raw, {}));
  const auto top = value_of(chain.open_top_writable());
  const auto overlay = value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  auto server = value_of(BlockServer::start({dir / "s", -1}));
  value_of(server.export_chain(chain, "base"));
  EXPECT_EQ(server.commit(chain, overlay, top.get(), {}).error().code, Errc::busy);
  expect_ok(server.remove("base"));
  expect_ok(server.commit(chain, overlay, top.get(), {}));
  expect_ok(server.stop());
}

/// Growth that a commit of these writes may bring to a base of 16 MiB of which the first 4 MiB are written.
std::uint64_t growth(const fs::path& base, Format format, const std::vector<std::string>& writes) {
  const auto chain = value_of(Chain::open(base, format, {}));
  const TempDir dir;
  const auto overlay = value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  auto server = value_of(BlockServer::start({dir / "s", -1}));
  write_export(value_of(server.export_overlay(chain, overlay, "vda", true)), writes);
  expect_ok(server.remove("vda"));
  const auto held = value_of(held_extents(value_of(server.export_overlay(chain, overlay, "held", false))));
  const auto bytes = value_of(growth_of(chain, value_of(server.export_chain(chain, "base")), held));
  expect_ok(server.stop());
  return bytes;
}

TEST(Growth, is_what_the_file_of_the_top_layer_does_not_hold_yet) {
  const TempDir dir;
  constexpr std::uint64_t mib = 1U << 20U;
  for (const Format format : {Format::raw, Format::qcow2}) {
    const fs::path base = dir / std::string(to_string(format));
    create_image(base, format, "16M");
    write_image(base, format, {"write -P 1 0 4M"});
    const std::uint64_t tables = format == Format::qcow2 ? mib : 0;
    EXPECT_LE(growth(base, format, {"write -P 9 1M 2M", "flush"}), tables);
    const auto partly = growth(base, format, {"write -P 9 2M 6M", "flush"});
    EXPECT_GE(partly, 4 * mib);
    EXPECT_LE(partly, 5 * mib + tables);
  }
}

TEST(Growth, is_everything_where_blocks_are_shared_with_another_file) {
  const TempDir dir;
  create_image(dir / "disk", Format::raw, "400M");
  must({"mkfs.xfs", "-q", (dir / "disk").native()});
  fs::create_directory(dir / "mnt");
  must({"mount", "-o", "loop", (dir / "disk").native(), (dir / "mnt").native()});
  const fs::path base = dir / "mnt/base.raw";
  create_image(base, Format::raw, "16M");
  write_image(base, Format::raw, {"write -P 1 0 4M"});
  EXPECT_EQ(growth(base, Format::raw, {"write -P 9 1M 2M", "flush"}), 0U);
  must({"cp", "--reflink=always", base.native(), (dir / "mnt/clone.raw").native()});
  EXPECT_EQ(growth(base, Format::raw, {"write -P 9 1M 2M", "flush"}), 2U << 20U);
  must({"umount", (dir / "mnt").native()});
}

TEST(Extents, uncovered_length_counts_gaps_before_between_and_behind) {
  EXPECT_EQ(uncovered_length({}, {{0, 10}}), 0U);
  EXPECT_EQ(uncovered_length({{0, 10}}, {}), 10U);
  EXPECT_EQ(uncovered_length({{0, 10}, {20, 10}}, {{0, 10}, {20, 10}}), 0U);
  EXPECT_EQ(uncovered_length({{0, 10}, {20, 10}}, {{5, 20}}), 10U);
  EXPECT_EQ(uncovered_length({{0, 100}}, {{10, 10}, {30, 10}, {90, 50}}), 70U);
  EXPECT_EQ(uncovered_length({{50, 10}}, {{0, 40}, {70, 10}}), 10U);
}

TEST(Extents, digests_are_of_pieces_of_64_kib_and_change_with_their_piece_alone) {
  const TempDir dir;
  create_image(dir / "disk.raw", Format::raw, "1M");
  const auto digests = [&] {
    const auto chain = value_of(Chain::open(dir / "disk.raw", Format::raw, {}));
    auto server = value_of(BlockServer::start({dir / "s", -1}));
    auto found = value_of(digest_extents(value_of(server.export_chain(chain, "vda")), {{32768, 131072}, {524288, 512}}, {}));
    expect_ok(server.stop());
    return found;
  };
  const auto before = digests();
  ASSERT_EQ(before.size(), 4U);
  EXPECT_EQ(before[0].piece.offset, 32768U);
  EXPECT_EQ(before[0].piece.length, 32768U);
  EXPECT_EQ(before[1].piece.length, 65536U);
  EXPECT_EQ(before[2].piece.length, 32768U);
  EXPECT_EQ(before[3].piece.length, 512U);
  write_image(dir / "disk.raw", Format::raw, {"write -P 7 70k 1k"});
  const auto after = digests();
  EXPECT_EQ(after[0].digest, before[0].digest);
  EXPECT_NE(after[1].digest, before[1].digest);
  EXPECT_EQ(after[2].digest, before[2].digest);
}

/// A small tmpfs that can grow.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path folder) : folder_(std::move(folder)) {
    fs::create_directory(folder_);
    must({"mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder_.native()});
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { must({"umount", "-l", folder_.native()}); }
  void grow() { must({"mount", "-o", "remount,size=40m", folder_.native()}); }

 private:
  fs::path folder_;
};

TEST(Commit, a_full_disk_is_an_error_and_the_redo_is_exact) {
  const TempDir dir;
  SmallDisk disk(dir / "small");
  const fs::path base = dir / "small/base.qcow2";
  create_image(base, Format::qcow2, "16M");
  const auto chain = value_of(Chain::open(base, Format::qcow2, {}));
  const auto overlay = value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  auto top = value_of(chain.open_top_writable());
  auto server = value_of(BlockServer::start({dir / "s", -1}));
  write_export(value_of(server.export_overlay(chain, overlay, "vda", true)), {"write -P 9 0 12M", "flush"});
  expect_ok(server.remove("vda"));
  const auto full = server.commit(chain, overlay, top.get(), {});
  disk.grow();
  EXPECT_FALSE(full.has_value());
  if (!full) {
    EXPECT_THAT(full.error().message, HasSubstr("No space left on device"));
  }
  const auto redo = server.commit(chain, overlay, top.get(), {});
  expect_ok(redo);
  expect_ok(server.stop());
  top.reset();  // as long as it is open it counts as a writer
  write_image(base, Format::qcow2, {"read -P 9 0 12M", "read -P 0 12M 4M"});
}

TEST(Commit, a_block_device_is_committed_into) {
  const TempDir dir;
  create_image(dir / "disk.raw", Format::raw, "4M");
  const auto attached = run_tool({"losetup", "--show", "-f", (dir / "disk.raw").native()});
  ASSERT_EQ(attached.exit_code, 0) << attached.err;
  const std::string device = attached.out.substr(0, attached.out.find('\n'));
  {
    const auto chain = value_of(Chain::open(device, Format::raw, {}));
    EXPECT_TRUE(chain.top().block_device);
    EXPECT_EQ(chain.virtual_size(), 4U << 20U);
    EXPECT_EQ(value_of(chain.identity())[0].size, 4U << 20U);
    const auto lock = value_of(ChainLock::acquire(chain, Sharing::nobody));
    const auto overlay = value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
    const auto top = value_of(chain.open_top_writable());
    auto server = value_of(BlockServer::start({dir / "s", -1}));
    write_export(value_of(server.export_overlay(chain, overlay, "vda", true)), {"write -P 7 1M 64k", "flush"});
    expect_ok(server.remove("vda"));
    expect_ok(server.commit(chain, overlay, top.get(), {}));
    expect_ok(server.stop());
  }
  must({"losetup", "-d", device});
  write_image(dir / "disk.raw", Format::raw, {"read -P 7 1M 64k", "read -P 0 0 1M"});
}

}  // namespace
}  // namespace vmpatch::image
