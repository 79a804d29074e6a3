// Everything that is read equals the folder that the file system was made from.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "integration/guest_direct/guest_images.hpp"

namespace vmpatch::guest::direct::test {
namespace {

std::string bytes(std::size_t count, unsigned seed) {
  std::string text(count, '\0');
  for (char& c : text) {
    seed = seed * 1664525U + 1013904223U;
    c = static_cast<char>(seed >> 24U);
  }
  return text;
}

/// Islands of data in a large hole: more extents than fit into an inode. It ends with data, because mke2fs 1.47 with
/// inline_data forgets a hole at the end.
void write_islands(const fs::path& file) {
  std::ofstream out(file, std::ios::binary);
  for (unsigned i = 0; i < 900; ++i) {
    out.seekp(static_cast<std::streamoff>(i) * 65536);
    const std::string island = bytes(4096, i);
    out.write(island.data(), static_cast<std::streamsize>(island.size()));
  }
}

void write_tree(const TempDir& dir) {
  write_root(dir, "root");
  const fs::path root = dir / "root";
  dir.write("root/usr/bin/sh", bytes(120'000, 1));
  fs::create_symlink("usr/bin", root / "bin");
  dir.write("root/var/lib/dpkg/status", bytes(150'000, 2));
  dir.write("root/small/empty", "");
  dir.write("root/small/inline", "twenty bytes of text");
  dir.write("root/small/inline-attribute", bytes(100, 3));
  dir.write("root/small/one-block", bytes(1024, 4));
  dir.write("root/odd/line\nbreak", "newline");
  dir.write("root/odd/\x1b[31mred", "escape");
  dir.write(std::string("root/odd/") + std::string(255, 'n'), "longest name");
  dir.write("root/a/b/c/d/e/f/g/h/deep", "deep");
  write_islands(root / "islands");
  dir.write("root/big", bytes(3U << 20U, 5));
  fs::create_directory(root / "links");
  fs::create_symlink("/etc/passwd", root / "links/absolute");
  fs::create_symlink("../../../../../../etc/passwd", root / "links/above");
  fs::create_symlink("loop-b", root / "links/loop-a");
  fs::create_symlink("loop-a", root / "links/loop-b");
  fs::create_symlink("nowhere", root / "links/dangling");
  fs::create_symlink("../a/b/../b/c/./d/e/f/g/h/../../../../../../../../small/../odd/../a/b/c/d/e/f/g/h/deep",
                     root / "links/long");
  fs::create_symlink("../etc/passwd", root / "links/chain-0");
  for (int i = 1; i <= 41; ++i)
    fs::create_symlink(fmt::format("chain-{}", i - 1), root / fmt::format("links/chain-{}", i));
  ASSERT_EQ(::chmod((root / "small/empty").c_str(), 04751), 0);
  ASSERT_EQ(::chown((root / "small/inline").c_str(), 100'000, 70'000), 0);
  ASSERT_EQ(::mkfifo((root / "small/fifo").c_str(), 0600), 0);
}

FileKind kind_of(const struct stat& st) {
  if (S_ISREG(st.st_mode)) return FileKind::regular;
  if (S_ISDIR(st.st_mode)) return FileKind::directory;
  if (S_ISLNK(st.st_mode)) return FileKind::symlink;
  if (S_ISFIFO(st.st_mode)) return FileKind::fifo;
  return FileKind::unknown;
}

void compare_file(Guest& guest, const std::string& path, const fs::path& original) {
  SCOPED_TRACE(path);
  struct stat st {};
  ASSERT_EQ(::lstat(original.c_str(), &st), 0);
  const auto found = guest.lstat(path);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->kind, kind_of(st));
  EXPECT_EQ(found->mode, st.st_mode & 07777U);
  EXPECT_EQ(found->uid, st.st_uid);
  EXPECT_EQ(found->gid, st.st_gid);
  if (found->kind == FileKind::symlink) {
    EXPECT_EQ(guest.readlink(path).value_or("no link"), fs::read_symlink(original).string());
  }
  if (found->kind == FileKind::regular) {
    EXPECT_EQ(found->size, static_cast<std::uint64_t>(st.st_size));
    EXPECT_EQ(found->mtime, st.st_mtime);
    const std::string content = image::test::read_whole(original);
    const auto read = guest.read(path, content.size());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_TRUE(*read == content);
    const auto digests = guest.digests({path});
    ASSERT_TRUE(digests.has_value());
    EXPECT_EQ(digests->at(0), sha256(content));
  }
  if (found->kind == FileKind::directory) {
    const auto entries = guest.list(path);
    ASSERT_TRUE(entries.has_value()) << entries.error().message;
    std::map<std::string, FileKind> listed;
    for (const DirEntry& entry : *entries) listed.emplace(entry.name, entry.kind);
    EXPECT_TRUE(
        std::is_sorted(entries->begin(), entries->end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
    if (path == "/") listed.erase("lost+found");
    std::map<std::string, FileKind> expected;
    for (const auto& entry : fs::directory_iterator(original)) {
      struct stat child {};
      ASSERT_EQ(::lstat(entry.path().c_str(), &child), 0);
      expected.emplace(entry.path().filename(), kind_of(child));
    }
    EXPECT_EQ(listed, expected);
  }
}

void compare_tree(Guest& guest, const fs::path& root) {
  compare_file(guest, "/", root);
  std::size_t compared = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    compare_file(guest, "/" + entry.path().lexically_relative(root).string(), entry.path());
    ++compared;
  }
  EXPECT_GT(compared, 80U);
}

struct Variant {
  std::string name;
  std::vector<std::string> options;
};

class FileSystems : public testing::TestWithParam<Variant> {};

TEST_P(FileSystems, every_file_reads_as_it_was_written) {
  const TempDir dir;
  write_tree(dir);
  const fs::path disk = make_file_system(dir, "disk", dir / "root", GetParam().options);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  compare_tree(**machine.guest, dir / "root");
  EXPECT_FALSE(machine.hibernated);
}

INSTANTIATE_TEST_SUITE_P(
    Ext, FileSystems,
    testing::Values(Variant{"ext2_1k", {"-t", "ext2", "-b", "1024"}},
                    Variant{"ext2_4k_old_revision_entries", {"-t", "ext2", "-b", "4096", "-O", "^filetype"}},
                    Variant{"ext3_1k_small_inodes", {"-t", "ext3", "-b", "1024", "-I", "128"}},
                    Variant{"ext3_4k", {"-t", "ext3", "-b", "4096"}}, Variant{"ext4_1k", {"-t", "ext4", "-b", "1024"}},
                    Variant{"ext4_4k", {"-t", "ext4", "-b", "4096"}},
                    Variant{"ext4_inline_data", {"-t", "ext4", "-b", "4096", "-O", "inline_data"}},
                    Variant{"ext4_64bit_metadata_csum", {"-t", "ext4", "-O", "64bit,metadata_csum,metadata_csum_seed"}},
                    Variant{"ext4_plain", {"-t", "ext4", "-O", "^64bit,^metadata_csum"}},
                    Variant{"ext4_bigalloc", {"-t", "ext4", "-O", "bigalloc"}}),
    [](const auto& variant) { return variant.param.name; });

class Walk : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<TempDir>();
    write_tree(*dir_);
    machine_ =
        std::make_unique<Machine>(*dir_, std::vector{make_file_system(*dir_, "disk", *dir_ / "root", {"-t", "ext4"})});
    ASSERT_TRUE(machine_->guest.has_value()) << error_of(*machine_);
  }
  static void TearDownTestSuite() {
    machine_.reset();
    dir_.reset();
  }
  static Guest& guest() { return **machine_->guest; }
  static const inline std::string passwd = "root:x:0:0:guest root:/root:/bin/sh\n";

 private:
  static inline std::unique_ptr<TempDir> dir_;
  static inline std::unique_ptr<Machine> machine_;
};

TEST_F(Walk, links_out_of_the_guest_lead_to_its_own_files) {
  for (const char* path :
       {"/links/absolute", "/links/above", "/links/../../../etc/passwd", "/links/chain-39", "//etc/./passwd"}) {
    EXPECT_EQ(guest().read(path, 1000).value_or("error"), passwd) << path;
  }
  EXPECT_EQ(guest().read("/links/long", 1000).value_or("error"), "deep");
}

TEST_F(Walk, loops_and_chains_of_more_than_40_links_fail) {
  for (const char* path : {"/links/loop-a", "/links/loop-a/below", "/links/chain-40"}) {
    const auto found = guest().read(path, 1000);
    ASSERT_FALSE(found.has_value()) << path;
    EXPECT_EQ(found.error().code, Errc::failed) << found.error().message;
    EXPECT_NE(found.error().message.find("symbolic links"), std::string::npos) << found.error().message;
  }
}

TEST_F(Walk, what_is_not_there_is_not_found) {
  for (const char* path : {"/nothing", "/links/dangling", "/etc/passwd/below", "/etc/passwd/..", "/bin/nothing"}) {
    EXPECT_EQ(code_of(guest().stat(path)), Errc::not_found) << path;
    EXPECT_EQ(code_of(guest().read(path, 10)), Errc::not_found) << path;
  }
  EXPECT_TRUE(guest().lstat("/links/dangling").has_value());
}

TEST_F(Walk, merged_usr_is_followed_in_the_middle_of_a_path) {
  EXPECT_EQ(guest().stat("/bin/sh").value_or(FileStat{}).size, 120'000U);
  EXPECT_EQ(guest().stat("/bin").value_or(FileStat{}).kind, FileKind::directory);
  EXPECT_EQ(guest().lstat("/bin").value_or(FileStat{}).kind, FileKind::symlink);
}

TEST_F(Walk, the_size_limit_holds_before_anything_is_read) {
  EXPECT_EQ(code_of(guest().read("/var/lib/dpkg/status", 149'999)), Errc::failed);
  EXPECT_TRUE(guest().read("/var/lib/dpkg/status", 150'000).has_value());
}

TEST_F(Walk, digests_are_empty_where_there_is_no_regular_file) {
  const auto digests =
      guest().digests({"/etc/passwd", "/nothing", "/etc", "/links/loop-a", "/links/absolute", "/small/fifo"});
  ASSERT_TRUE(digests.has_value()) << digests.error().message;
  const std::optional<Digest> none;
  EXPECT_EQ(*digests, (std::vector<std::optional<Digest>>{sha256(passwd), none, none, none, sha256(passwd), none}));
}

TEST_F(Walk, operations_on_the_wrong_kind_fail) {
  EXPECT_EQ(code_of(guest().read("/etc", 10)), Errc::failed);
  EXPECT_EQ(code_of(guest().list("/etc/passwd")), Errc::failed);
  EXPECT_EQ(code_of(guest().readlink("/etc/passwd")), Errc::failed);
  EXPECT_EQ(code_of(guest().stat("etc/passwd")), Errc::failed);
  EXPECT_EQ(code_of(guest().stat("/" + std::string(5000, 'x'))), Errc::failed);
  EXPECT_NE(guest().access().find("direct: /dev/sda (ext4) on /"), std::string::npos) << guest().access();
}

TEST(SparseFile, of_10_gib_is_refused_by_its_size_and_holes_read_as_zeros) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/huge", "");
  fs::resize_file(dir / "root/huge", 10ULL << 30U);
  dir.write("root/ends-with-hole", "head");
  fs::resize_file(dir / "root/ends-with-hole", 300'001);
  const Machine machine(dir, {make_file_system(dir, "disk", dir / "root", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->stat("/huge").value_or(FileStat{}).size, 10ULL << 30U);
  EXPECT_EQ(code_of((*machine.guest)->read("/huge", 64U << 20U)), Errc::failed);
  std::string expected = "head";
  expected.resize(300'001, '\0');
  EXPECT_TRUE((*machine.guest)->read("/ends-with-hole", 300'001).value_or("") == expected);
}

TEST(LargeDirectory, indexed_with_20000_entries_is_listed_and_walked) {
  const TempDir dir;
  write_root(dir, "root");
  std::set<std::string> names;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = fmt::format("p{:05}", i);
    dir.write("root/many/" + name, "");
    names.insert(name);
  }
  const fs::path disk =
      make_file_system(dir, "disk", dir / "root", {"-t", "ext4", "-N", "30000", "-O", "^metadata_csum"});
  // mke2fs writes plain directories; e2fsck -D indexes them (exit code 1: changed).
  Command index;
  index.argv = {"/usr/sbin/e2fsck", "-fyD", disk.string()};
  const auto indexed = run(index);
  ASSERT_TRUE(indexed.has_value() && indexed->exit_code <= 1);
  ASSERT_NE(tool({"debugfs", "-R", "htree_dump /many", disk.string()}).find("Root node dump"), std::string::npos);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  const auto entries = (*machine.guest)->list("/many");
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  std::set<std::string> listed;
  for (const DirEntry& entry : *entries) listed.insert(entry.name);
  EXPECT_EQ(entries->size(), 20'000U);
  EXPECT_EQ(listed, names);
  EXPECT_TRUE((*machine.guest)->stat("/many/p19999").has_value());
  EXPECT_FALSE((*machine.guest)->stat("/many/p20000").has_value());
}

}  // namespace
}  // namespace vmpatch::guest::direct::test
