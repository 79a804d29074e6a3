// PathFilter against dpkg itself: what it leaves out of a package under a configuration, and what we say that it does.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/dpkg_files.hpp"

namespace vmpatch::guest {
namespace {

class DpkgItself : public testing::TestWithParam<std::vector<const char*>> {
 protected:
  DpkgItself() {
    std::string pattern = (fs::temp_directory_path() / "vm-patch-dpkg-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    dir_ = pattern;
  }
  ~DpkgItself() override { static_cast<void>(remove_tree(dir_).has_value()); }

  void build() const {
    for (const auto& path : files) put("package" + path, path);
    for (const auto& path : links) fs::create_symlink("nowhere", dir_ / ("package" + path));
    put("package/DEBIAN/control", "Package: probe\nVersion: 1\nArchitecture: all\nMaintainer: n <n@localhost>\nDescription: probe\n");
    run({"dpkg-deb", "--root-owner-group", "-b", (dir_ / "package").string(), (dir_ / "probe.deb").string()});
  }
  void install(const std::vector<const char*>& config) const {
    std::string text;
    for (const auto* line : config) text += std::string(line) + "\n";
    put("home/.dpkg.cfg", text);
    for (const auto* file : {"status", "available", "info/format", "updates/.keep"}) put(std::string("root/var/lib/dpkg/") + file, "");
    fs::remove(dir_ / "root/var/lib/dpkg/info/format");
    fs::remove(dir_ / "root/var/lib/dpkg/updates/.keep");
    run({"dpkg", "--root=" + (dir_ / "root").string(), "--force-not-root", "--unpack", (dir_ / "probe.deb").string()});
  }

  const std::vector<std::string> files{"/usr/bin/x",           "/usr/share/doc/a/copyright", "/usr/share/doc/a/deep/README",
                                       "/usr/share/doc/b/copyright", "/usr/share/doc/b/[x]",       "/usr/share/man/man1/x.1"};
  const std::vector<std::string> links{"/usr/bin/link", "/usr/share/doc/a/link", "/usr/share/doc/b/link", "/usr/share/man/link"};
  fs::path dir_;

 private:
  void put(const std::string& path, const std::string& content) const {
    ASSERT_TRUE(make_dirs((dir_ / path).parent_path()));
    ASSERT_TRUE(write_file_atomic(dir_ / path, content));
  }
  void run(std::vector<std::string> argv) const {
    Command command;
    command.argv = std::move(argv);
    command.env = {{"HOME", (dir_ / "home").string()}, {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    const auto done = run_checked(command);
    ASSERT_TRUE(done) << done.error().message;
  }
};

TEST_P(DpkgItself, leaves_out_what_the_filter_says) {
  build();
  install(GetParam());
  PathFilter filter;
  for (const auto* line : GetParam()) filter.add_line(line);
  std::size_t excluded = 0;
  for (const auto& [paths, kind] : {std::pair{files, FileKind::regular}, {links, FileKind::symlink}}) {
    for (const auto& path : paths) {
      // Unpacked but not configured, a file has its own name already.
      const bool there = fs::symlink_status(dir_ / ("root" + path)).type() != fs::file_type::not_found;
      EXPECT_EQ(filter.excludes(path, kind), !there) << path;
      excluded += there ? 0 : 1;
    }
  }
  EXPECT_GT(excluded, 0U) << "this configuration shows nothing";
}

using Config = std::vector<const char*>;
INSTANTIATE_TEST_SUITE_P(
    Configurations, DpkgItself,
    testing::Values(Config{"path-exclude=/usr/share/doc/*"}, Config{"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"},
                    Config{"path-exclude = \"/usr/share/doc/*\""}, Config{"path-exclude '/usr/share/man/*'   "},
                    Config{"path-exclude\t/usr/share/man/man?/*.1"}, Config{"# path-exclude=/usr/bin/*", "path-exclude=*/copyright"},
                    Config{"path-exclude=/usr/share/doc/b/[[]x]"}, Config{"path-exclude=/usr/share/doc/b/\\[x]"},
                    Config{"path-exclude=/usr/share/doc/[!a]/*"}, Config{"path-include=/usr/bin/x", "path-exclude=/usr/bin/*"},
                    Config{"path-exclude=/usr/bin/*", "path-include=/usr/bin/x"},
                    Config{"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/a/*"}, Config{"path-exclude:/usr/share/man/*"}));

}  // namespace
}  // namespace vmpatch::guest
