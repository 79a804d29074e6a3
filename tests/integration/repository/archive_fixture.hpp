#pragma once
// A small archive in a store, and a guest: what the resolver's answer is checked against.

#include <gtest/gtest.h>

#include "repository/store.hpp"
#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/guest/manager_files.hpp"

namespace vmpatch::repository::test {

struct ListedPackage {
  std::string name, arch, version;
  std::string more;  ///< further lines
  std::string place = "pool";

  [[nodiscard]] std::string file() const { return place + "/" + name + "_" + version + "_" + arch + ".deb"; }
  [[nodiscard]] std::uint64_t size() const { return 1000 + name.size() + version.size(); }
  [[nodiscard]] Digest sha256() const { return vmpatch::sha256(name + version + arch); }
  [[nodiscard]] std::string stanza() const {
    return "Package: " + name + "\nArchitecture: " + arch + "\nVersion: " + version + "\nInstalled-Size: 12\nFilename: " + file() + "\nSize: " + std::to_string(size()) +
           "\nSHA256: " + sha256().hex() + "\n" + more + "\n";
  }
};

inline std::string packages_list(const std::vector<ListedPackage>& packages) {
  std::string text;
  for (const auto& package : packages) text += package.stanza();
  return text;
}

class ArchiveTest : public testing::Test {
 protected:
  /// As a server has it, verified and downloaded.
  IndexFile admit(const std::string& content, const std::string& compression = "") const {
    IndexFile file = store_.keep(content).value();
    file.compression = compression;
    return file;
  }
  [[nodiscard]] std::string compressed(const std::vector<std::string>& program, const std::string& content) const {
    Command command;
    command.argv = program;
    command.input = content;
    return run(command).value().out;
  }
  [[nodiscard]] Suite suite(const std::string& name, bool security, const std::map<std::string, IndexFile>& indexes) const {
    Suite made;
    made.repository = "debian";
    made.uri = "https://example.org/" + name + "/";
    made.suite = name;
    made.security = security;
    made.indexes = indexes;
    return made;
  }

  image::test::TempDir folder_;
  Store store_ = Store::open(folder_ / "state", folder_ / "cache").value();
};

}  // namespace vmpatch::repository::test
