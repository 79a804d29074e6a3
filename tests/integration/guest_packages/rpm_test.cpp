#include <fcntl.h>
#include <sys/file.h>

#include <fstream>

#include "guest/rpm_database.hpp"
#include "package_guest.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/seccomp.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::guest::test {
namespace {

/// Made once; the databases are only read.
const TempDir& databases() {
  static const TempDir dir;
  static const bool made = [] {
    tool({"python3", VMPATCH_SOURCE_DIR "/tests/integration/guest_packages/make_rpm_databases.py", dir.path().string()});
    return true;
  }();
  EXPECT_TRUE(made);
  return dir;
}

std::string line_of(const Package& package) { return package.name + "|" + package.version + "|" + package.arch; }

/// Without the key that rpm lists as a package, and without its source; `times` each.
std::vector<std::string> said_by_rpm(const std::string& name, int times = 1) {
  std::vector<std::string> lines;
  for (const std::string& line : sorted_lines(read_whole(databases() / (name + ".txt")))) {
    if (line.starts_with("gpg-pubkey|")) continue;
    for (int i = 0; i < times; ++i) lines.push_back(line.substr(0, line.rfind('|')));
  }
  return lines;
}

void put_database(const TempDir& dir, const std::string& name, const std::string& folder) {
  write_root(dir, "root");
  fs::create_directories(dir / ("root" + folder));
  for (const auto& entry : fs::directory_iterator(databases() / name)) {
    if (!entry.path().filename().string().ends_with("-shm")) fs::copy(entry.path(), dir / ("root" + folder));
  }
}

class RpmFormats : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(RpmFormats, packages_are_those_that_rpm_lists) {
  const auto& [name, folder] = GetParam();
  const TempDir dir;
  put_database(dir, name, folder);
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->package_manager, "rpm");
  const auto expected = name == "ndb" ? said_by_rpm("sqlite", 90) : said_by_rpm(name == "bdb" ? "sqlite" : name);
  EXPECT_GE(expected.size(), 5U);
  EXPECT_EQ(lines_of(facts->packages, line_of), expected);
  EXPECT_TRUE(facts->half_configured.empty());
  for (const Package& package : facts->packages) EXPECT_TRUE(package.installed());
}

INSTANTIATE_TEST_SUITE_P(Databases, RpmFormats,
                         testing::Values(std::pair("sqlite", "/usr/lib/sysimage/rpm"), std::pair("sqlite", "/var/lib/rpm"),
                                         std::pair("wal", "/var/lib/rpm"), std::pair("bdb", "/var/lib/rpm"),
                                         std::pair("ndb", "/usr/lib/sysimage/rpm")));

TEST(Rpm, log_of_a_machine_that_was_switched_off_counts) {
  const auto before = said_by_rpm("sqlite");
  const auto after = said_by_rpm("wal");
  EXPECT_EQ(after.size() + 1, before.size());
}

TEST(Rpm, source_and_its_version_come_from_the_name_of_the_source_package) {
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  const auto source = [&](const char* name) {
    const Package* package = facts->find(name);
    return package == nullptr ? "missing" : package->source + " " + package->source_version;
  };
  EXPECT_EQ(source("alpha"), "alpha 1.0-1");
  EXPECT_EQ(source("beta"), "beta 1:2.0~rc1-3.el9");
  EXPECT_EQ(source("beta-libs"), "beta 1:2.0~rc1-3.el9");
  EXPECT_EQ(source("other-name"), "gamma-with-dashes 3^git1-1");
  EXPECT_EQ(facts->find("gpg-pubkey"), nullptr);
}

TEST_P(RpmFormats, module_of_a_package_is_told) {
  const auto& [name, folder] = GetParam();
  const TempDir dir;
  put_database(dir, name, folder);
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  for (const Package& package : facts->packages) {
    EXPECT_EQ(package.module, package.source == "gamma-with-dashes" ? "gamma:3:20260101:abc" : "") << package.name;
  }
  ASSERT_NE(facts->find("other-name"), nullptr);
}

TEST(Rpm, system_made_of_rpm_with_a_package_of_dpkg_is_read_by_rpm) {
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  dir.write("root/var/lib/dpkg/status", "Package: foreign\nStatus: install ok installed\nVersion: 1\n");
  dir.write("root/etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->package_manager, "rpm");
  EXPECT_EQ(lines_of(facts->packages, line_of), said_by_rpm("sqlite"));
}

TEST(Rpm, ndb_written_by_rpm_itself_is_read) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/usr/lib/sysimage/rpm");
  fs::copy(VMPATCH_SOURCE_DIR "/tests/integration/guest_packages/data/Packages.db", dir / "root/usr/lib/sysimage/rpm/Packages.db");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(lines_of(facts->packages, line_of),
            (std::vector<std::string>{"alpha|1.0-1|x86_64", "beta-libs|1:9.9-3.el9|x86_64", "beta|1:2.0~rc1-3.el9|x86_64",
                                      "gamma|3^git1-1|noarch"}));
}

TEST(Rpm, symlinks_of_the_guest_are_followed_in_the_guest) {
  const TempDir dir;
  put_database(dir, "sqlite", "/usr/share/rpm");
  fs::create_directories(dir / "root/var/lib");
  fs::create_symlink("../../usr/share/rpm", dir / "root/var/lib/rpm");
  const auto inside = facts_of(dir);
  ASSERT_TRUE(inside.has_value()) << error_of(inside);
  EXPECT_EQ(lines_of(inside->packages, line_of), said_by_rpm("sqlite"));

  const TempDir other;
  write_root(other, "root");
  fs::create_directories(other / "root/var/lib");
  fs::create_symlink(databases() / "sqlite", other / "root/var/lib/rpm");  // exists on the host only
  const auto outside = facts_of(other);
  ASSERT_TRUE(outside.has_value()) << error_of(outside);
  EXPECT_EQ(outside->package_manager, "");
}

struct Damage {
  std::string name;  ///< database to damage
  std::string file;
  std::string content;  ///< in its place; "" = its first half
};
class RpmDamage : public testing::TestWithParam<Damage> {};

TEST_P(RpmDamage, ends_in_an_error_that_names_the_database) {
  const auto& [name, file, content] = GetParam();
  const TempDir dir;
  put_database(dir, name, "/var/lib/rpm");
  const fs::path database = dir / ("root/var/lib/rpm/" + file);
  if (content.empty()) {
    fs::resize_file(database, fs::file_size(database) / 2);
  } else {
    dir.write("root/var/lib/rpm/" + file, content);
  }
  const auto facts = facts_of(dir);
  EXPECT_EQ(direct::test::code_of(facts), Errc::failed) << error_of(facts);
  EXPECT_NE(error_of(facts).find("/var/lib/rpm/" + file), std::string::npos) << error_of(facts);
}

std::string noise(std::string start, std::size_t size) {
  unsigned seed = 4711;
  while (start.size() < size) start += static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
  return start;
}

INSTANTIATE_TEST_SUITE_P(
    Files, RpmDamage,
    testing::Values(Damage{"sqlite", "rpmdb.sqlite", ""}, Damage{"bdb", "Packages", ""}, Damage{"ndb", "Packages.db", ""},
                    Damage{"sqlite", "rpmdb.sqlite", "rubbish"}, Damage{"bdb", "Packages", "rubbish"},
                    Damage{"ndb", "Packages.db", "rubbish"},
                    Damage{"sqlite", "rpmdb.sqlite", noise(std::string("SQLite format 3\0", 16), 100'000)},
                    Damage{"bdb", "Packages", noise("", 100'000)}, Damage{"ndb", "Packages.db", noise("RpmP", 100'000)},
                    Damage{"ndb", "Packages.db", "RpmP" + std::string(8, '\0') + std::string(100'000, '\xff')}));

TEST(Rpm, damage_by_chance_never_ends_in_half_a_list_or_a_crash) {
  const auto expected = said_by_rpm("sqlite");
  std::size_t failed = 0;
  for (const auto& [name, file] : {std::pair("sqlite", "rpmdb.sqlite"), std::pair("bdb", "Packages")}) {
    const std::string good = read_whole(databases() / name / file);
    for (unsigned round = 0; round < 6; ++round) {
      const TempDir dir;
      put_database(dir, name, "/var/lib/rpm");
      std::string bad = good;
      unsigned seed = round * 7919 + 17;
      const auto next = [&] { return (seed = seed * 1664525U + 1013904223U) >> 8U; };
      for (unsigned i = 0; i < 60; ++i) bad[next() % bad.size()] = static_cast<char>(next());
      dir.write(std::string("root/var/lib/rpm/") + file, bad);
      const auto facts = facts_of(dir);
      if (!facts) {
        ++failed;
        EXPECT_NE(error_of(facts).find("/var/lib/rpm/"), std::string::npos) << error_of(facts);
      } else {
        EXPECT_GE(facts->packages.size(), expected.size());
      }
    }
  }
  EXPECT_GT(failed, 0U);
}

TEST(Rpm, database_larger_than_512_mebibytes_is_refused_at_once) {
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  fs::resize_file(dir / "root/var/lib/rpm/rpmdb.sqlite", std::uintmax_t{10} << 30U);
  const auto start = std::chrono::steady_clock::now();
  const auto facts = facts_of(dir);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // with mke2fs
  EXPECT_NE(error_of(facts).find("/var/lib/rpm/rpmdb.sqlite has 10 GiB"), std::string::npos) << error_of(facts);
}

TEST(Rpm, database_that_never_ends_is_ended) {
  const TempDir dir;
  put_database(dir, "endless", "/var/lib/rpm");
  const auto facts = facts_of(dir);
  EXPECT_EQ(direct::test::code_of(facts), Errc::failed) << error_of(facts);
  EXPECT_NE(error_of(facts).find("more processor time"), std::string::npos) << error_of(facts);
}

/// The program itself on a folder in which the database is a link to `target`.
std::string said_by_reader(const std::string& format, const std::string& file, const fs::path& target) {
  const TempDir dir;
  fs::create_symlink(target, dir / file);
  Command command;
  command.argv = {VMPATCH_BINARY_DIR "/bin/vm-patch-rpmdb", format};
  command.cwd = dir.path();
  const auto output = run(command);
  EXPECT_TRUE(output.has_value()) << output.error().message;
  return output ? output->out : std::string();
}

TEST(Rpm, reader_opens_no_database_outside_of_its_folder) {
  const TempDir dir;
  for (const auto& [format, file] : {std::pair("sqlite", "rpmdb.sqlite"), std::pair("bdb", "Packages"), std::pair("ndb", "Packages.db")}) {
    fs::copy(databases() / format / file, dir / file);
    [[maybe_unused]] const std::string said = said_by_reader(format, file, dir / file);
#ifndef __SANITIZE_ADDRESS__
    EXPECT_TRUE(said.empty() || !has_landlock()) << format << ": " << said;
#endif
  }
}

TEST(Rpm, database_of_more_than_one_range_is_copied_whole) {
  const TempDir dir;
  put_database(dir, "ndb", "/var/lib/rpm");
  // Zeros behind the last blob are free space.
  fs::resize_file(dir / "root/var/lib/rpm/Packages.db", 40U << 20U);
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->packages.size(), said_by_rpm("sqlite", 90).size());
}

TEST(Rpm, folder_in_the_place_of_a_database_is_an_error) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/rpm/rpmdb.sqlite");
  const auto facts = facts_of(dir);
  EXPECT_NE(error_of(facts).find("/var/lib/rpm/rpmdb.sqlite is not a regular file"), std::string::npos) << error_of(facts);
}

TEST(Rpm, temporary_folder_that_the_reader_cannot_enter_is_named) {
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  const fs::path closed = dir / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::owner_all);
  ASSERT_EQ(::setenv("TMPDIR", closed.c_str(), 1), 0);
  const auto facts = facts_of(dir);
  ASSERT_EQ(::unsetenv("TMPDIR"), 0);
  EXPECT_TRUE(fs::is_empty(closed));
  if (!worker_credentials()) {  // the reader of an ordinary user is that user
    EXPECT_TRUE(facts.has_value()) << error_of(facts);
    return;
  }
  EXPECT_NE(error_of(facts).find(closed.string()), std::string::npos) << error_of(facts);
  EXPECT_NE(error_of(facts).find("TMPDIR"), std::string::npos) << error_of(facts);
}

TEST(Rpm, copies_of_killed_processes_are_removed_and_those_in_use_are_not) {
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  const fs::path place = dir / "tmp";
  fs::create_directory(place);
  fs::permissions(place, fs::perms::all);
  const auto make = [&](const char* name, fs::perms mode = fs::perms::owner_all) {
    fs::create_directory(place / name);
    fs::permissions(place / name, mode);
    std::ofstream(place / name / "file") << "content";
  };
  make("vm-patch-rpmdb-killed");
  make("vm-patch-rpmdb-in-use");
  make("vm-patch-rpmdb-open-to-all", fs::perms::all);
  make("something-else");
  fs::create_directory_symlink(place / "something-else", place / "vm-patch-rpmdb-link");
  const UniqueFd lock(::open((place / "vm-patch-rpmdb-in-use").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  ASSERT_EQ(::setenv("TMPDIR", place.c_str(), 1), 0);
  const auto facts = facts_of(dir);
  ASSERT_EQ(::unsetenv("TMPDIR"), 0);
  EXPECT_FALSE(fs::exists(place / "vm-patch-rpmdb-killed")) << error_of(facts);
  for (const char* name : {"vm-patch-rpmdb-in-use", "vm-patch-rpmdb-open-to-all", "something-else"}) {
    EXPECT_TRUE(fs::exists(place / name / "file")) << name;
  }
  EXPECT_TRUE(fs::is_symlink(place / "vm-patch-rpmdb-link"));
}

TEST(Rpm, nothing_is_left_on_the_host) {
  const auto copies = [] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(fs::temp_directory_path())) {
      count += entry.path().filename().string().starts_with("vm-patch-rpmdb-") ? 1U : 0U;
    }
    return count;
  };
  const std::size_t before = copies();
  const TempDir dir;
  put_database(dir, "sqlite", "/var/lib/rpm");
  EXPECT_TRUE(facts_of(dir).has_value());
  dir.write("root/var/lib/rpm/rpmdb.sqlite", "rubbish");
  EXPECT_FALSE(facts_of(dir).has_value());
  EXPECT_EQ(copies(), before);
}

}  // namespace
}  // namespace vmpatch::guest::test
