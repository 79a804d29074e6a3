#include "package_guest.hpp"

namespace vmpatch::guest::test {
namespace {

TEST(Dpkg, packages_are_those_that_dpkg_query_lists) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/dpkg");
  fs::create_directories(dir / "root/var/lib/apt");
  fs::copy("/var/lib/dpkg/status", dir / "root/var/lib/dpkg/status");
  fs::copy("/var/lib/apt/extended_states", dir / "root/var/lib/apt/extended_states");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->package_manager, "dpkg");
  const auto expected = sorted_lines(
      tool({"dpkg-query", "--admindir=" + (dir / "root/var/lib/dpkg").string(), "-W", "-f",
            "${Package}|${Version}|${Architecture}|${source:Package}|${source:Version}|${Essential}|${Status}\\n"}));
  EXPECT_GT(expected.size(), 100U);
  // dpkg-query writes the essential flag as it stands: yes, no, or nothing.
  const auto line = [](const Package& p) {
    return p.name + "|" + p.version + "|" + p.arch + "|" + p.source + "|" + p.source_version + "|" +
           (p.essential ? "yes" : "no") + "|" + p.status;
  };
  std::vector<std::string> said;
  for (std::string text : expected) {
    const auto status = text.rfind('|');
    if (text[status - 1] == '|') text.insert(status, "no");
    said.push_back(text);
  }
  std::sort(said.begin(), said.end());
  EXPECT_EQ(lines_of(facts->packages, line), said);
}

TEST(Dpkg, dependencies_are_those_that_apt_mark_lists) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/dpkg");
  fs::create_directories(dir / "root/var/lib/apt");
  fs::copy("/var/lib/dpkg/status", dir / "root/var/lib/dpkg/status");
  fs::copy("/var/lib/apt/extended_states", dir / "root/var/lib/apt/extended_states");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  std::vector<Package> automatic;
  for (const Package& package : facts->packages) {
    if (package.automatic && package.installed()) automatic.push_back(package);
  }
  const std::string output = tool({"apt-mark", "-o", "Dir::State=" + (dir / "root/var/lib/apt").string(), "-o",
                                   "Dir::State::status=" + (dir / "root/var/lib/dpkg/status").string(), "showauto"});
  EXPECT_GT(automatic.size(), 10U);
  EXPECT_EQ(lines_of(automatic, [](const Package& p) { return p.name; }), sorted_lines(output));
}

TEST(Dpkg, status_of_a_gibibyte_is_an_error_at_once) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
  fs::resize_file(dir / "root/var/lib/dpkg/status", std::uintmax_t{1} << 30U);
  const Machine machine(dir, {make_file_system(dir, "disk", dir / "root", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value());
  const auto start = std::chrono::steady_clock::now();
  const auto facts = read_facts(**machine.guest);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_NE(error_of(facts).find("/var/lib/dpkg/status"), std::string::npos) << error_of(facts);
}

/// A package of pacman: a tar archive with .PKGINFO.
void add_pacman_package(const TempDir& dir, const std::string& info, const std::vector<std::string>& options) {
  const TempDir package;
  package.write(".PKGINFO", info + "builddate = 1700000000\npackager = nobody\nsize = 0\n");
  tool({"tar", "-C", package.path().string(), "-cf", package / "p.pkg.tar", ".PKGINFO"});
  std::vector<std::string> argv{"pacman", "--config", (dir / "pacman.conf").string(), "--root", (dir / "root").string(), "--dbpath",
                                (dir / "root/var/lib/pacman").string(), "--noconfirm", "--noscriptlet", "-dd"};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), {"-U", package / "p.pkg.tar"});
  if (::geteuid() != 0) argv.insert(argv.begin(), {"unshare", "--map-root-user"});  // pacman installs for root only
  tool(argv);
}

TEST(Pacman, packages_are_those_that_pacman_lists) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("pacman.conf", "[options]\nArchitecture = auto\nSigLevel = Never\n");
  fs::create_directories(dir / "root/var/lib/pacman");
  fs::create_directories(dir / "root/tmp");
  add_pacman_package(dir, "pkgname = gcc-libs\npkgbase = gcc\npkgver = 13.2.1-3\npkgdesc = %NAME%\narch = x86_64\n", {"--asdeps"});
  add_pacman_package(dir, "pkgname = lsof\npkgbase = lsof\npkgver = 1:4.99.3-1\npkgdesc = lists files\narch = any\n", {});
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->package_manager, "pacman");
  const auto list = [&](const std::string& option) {
    return sorted_lines(tool({"pacman", "--config", (dir / "pacman.conf").string(), "--root", (dir / "root").string(), "--dbpath",
                              (dir / "root/var/lib/pacman").string(), option}));
  };
  EXPECT_EQ(lines_of(facts->packages, [](const Package& p) { return p.name + " " + p.version; }), list("-Q"));
  EXPECT_EQ(list("-Qd"), std::vector<std::string>{"gcc-libs 13.2.1-3"});
  ASSERT_NE(facts->find("gcc-libs"), nullptr);
  EXPECT_TRUE(facts->find("gcc-libs")->automatic);
  EXPECT_EQ(facts->find("gcc-libs")->source, "gcc");
  EXPECT_EQ(facts->find("gcc-libs")->arch, "x86_64");
  EXPECT_FALSE(facts->find("lsof")->automatic);
  EXPECT_TRUE(facts->half_configured.empty());
}

TEST(Apk, database_is_read_from_the_disk) {
  const TempDir dir;
  write_root(dir, "root");
  std::string database;
  for (int i = 0; i < 300; ++i) {
    database += "C:Q1AAAA=\nP:package-" + std::to_string(i) + "\nV:1." + std::to_string(i) + "-r0\nA:x86_64\no:source-" +
                std::to_string(i / 10) + "\nF:usr\nR:file\na:0:0:755\n\n";
  }
  dir.write("root/usr/lib/apk/db/installed", database);
  fs::create_directory_symlink("usr/lib", dir / "root/lib");
  const auto facts = facts_of(dir);
  ASSERT_TRUE(facts.has_value()) << error_of(facts);
  EXPECT_EQ(facts->package_manager, "apk");
  ASSERT_EQ(facts->packages.size(), 300U);
  const Package* package = facts->find("package-123");
  ASSERT_NE(package, nullptr);
  EXPECT_EQ(package->version, "1.123-r0");
  EXPECT_EQ(package->source, "source-12");
}

}  // namespace
}  // namespace vmpatch::guest::test
