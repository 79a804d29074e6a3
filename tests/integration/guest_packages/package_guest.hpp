#pragma once
// Guests whose root is a folder on ext4, read through the direct reader.

#include <algorithm>
#include <string>
#include <vector>

#include "integration/guest_direct/guest_images.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest::test {

namespace fs = std::filesystem;
using direct::test::Machine;
using direct::test::make_file_system;
using direct::test::tool;
using direct::test::write_root;
using image::test::read_whole;
using image::test::TempDir;

/// Facts of the folder `root` of `dir`.
inline Result<Facts> facts_of(const TempDir& dir, const std::string& size = "64M") {
  const Machine machine(dir, {make_file_system(dir, "disk", dir / "root", {"-t", "ext4"}, size)});
  if (!machine.guest) return machine.guest.error();
  return read_facts(**machine.guest);
}

inline std::string error_of(const Result<Facts>& facts) { return facts ? "no error" : facts.error().message; }

/// "name|version|arch|…" of each package, sorted; `line` makes it.
template <class Line>
std::vector<std::string> lines_of(const std::vector<Package>& packages, const Line& line) {
  std::vector<std::string> lines;
  for (const Package& package : packages) lines.push_back(line(package));
  std::sort(lines.begin(), lines.end());
  return lines;
}

inline std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace vmpatch::guest::test
