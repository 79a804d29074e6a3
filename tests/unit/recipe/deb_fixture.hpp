#pragma once
// Builds small real packages with dpkg-deb.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "unit/trust/fixtures.hpp"

namespace vmpatch::test {

struct DebSpec {
  std::string name = "sample";
  std::string version = "1.0-1";
  std::string architecture = "amd64";
  std::string more_control;                  ///< further fields, each with its newline
  std::map<std::string, std::string> files;  ///< path below the root → content
  std::string conffiles;
  std::string postinst;
  std::string changelog;  ///< becomes changelog.Debian.gz
  std::string compression = "xz";
  bool links = true;  ///< deliver a symbolic and a hard link, too
  bool hard_links = true;  ///< … or the symbolic one alone
};

inline std::filesystem::path build_deb(const ScratchDir& dir, const DebSpec& spec) {
  const auto root = dir / ("root-" + spec.name);
  std::error_code ignored;
  std::filesystem::remove_all(root, ignored);
  const auto put = [&](const std::filesystem::path& path, const std::string& content) {
    EXPECT_TRUE(make_dirs(path.parent_path()));
    EXPECT_TRUE(write_file_atomic(path, content));
  };
  put(root / "DEBIAN/control", "Package: " + spec.name + "\nVersion: " + spec.version + "\nArchitecture: " +
                                   spec.architecture + "\nMaintainer: nobody <nobody@localhost>\n" + spec.more_control +
                                   "Description: test package\n with a second line\n");
  if (!spec.conffiles.empty()) put(root / "DEBIAN/conffiles", spec.conffiles);
  if (!spec.postinst.empty()) {
    put(root / "DEBIAN/postinst", spec.postinst);
    std::filesystem::permissions(root / "DEBIAN/postinst", std::filesystem::perms(0755));
  }
  for (const auto& [path, content] : spec.files) {
    put(root / path, content);
    std::filesystem::permissions(root / path, std::filesystem::perms(0644));
  }
  if (!spec.changelog.empty()) {
    const auto log = root / "usr/share/doc" / spec.name / "changelog.Debian";
    put(log, spec.changelog);
    EXPECT_TRUE(run_tool({"gzip", "-n", log.string()}));
  }
  if (spec.links) {
    std::filesystem::create_directories(root / "usr/lib/links");
    std::filesystem::create_symlink("../target", root / "usr/lib/links/soft");
    if (spec.hard_links) {
      put(root / "usr/lib/links/one", "linked");
      std::filesystem::create_hard_link(root / "usr/lib/links/one", root / "usr/lib/links/two");
    }
  }
  const auto deb = dir / (spec.name + "_" + spec.version + "_" + spec.architecture + ".deb");
  const auto built =
      run_tool({"dpkg-deb", "--root-owner-group", "-Z" + spec.compression, "--build", root.string(), deb.string()});
  EXPECT_TRUE(built) << built.error().message;
  return deb;
}

}  // namespace vmpatch::test
