#pragma once
// `vm-patch inspect` of one image, with its time and memory.

#include <sys/resource.h>

#include <chrono>

#include "integration/guest_direct/guest_images.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest::hostile {

using namespace direct::test;
using namespace std::string_literals;

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t gib = 1U << 30U;

struct Inspected {
  int exit_code = -1;
  std::string out, err;
  std::chrono::milliseconds duration{};
  double processor_seconds = 0;  ///< of all processes
  [[nodiscard]] bool says(std::string_view text) const { return out.find(text) != std::string::npos || err.find(text) != std::string::npos; }
};

inline double processor_seconds_of_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Text output, or JSON. Checks what holds for every guest: no control characters but newlines, no appliance, an end within
/// 10 s (2 s on an idle machine; the rest is for busy ones), and no process above 512 MiB.
inline Inspected inspect(const TempDir& dir, const fs::path& image, bool json = false) {
  Command command;
  command.argv = {VMPATCH_BINARY_DIR "/bin/vm-patch", "--state-dir", (dir / "state").string(), "-v", "inspect", "--fresh", "-a", image.string(), "--format", "raw"};
  if (json) command.argv.emplace_back("--json");
  command.extra_env = {{"XDG_RUNTIME_DIR", dir.path().string()}, {"VM_PATCH_CACHE", (dir / "cache").string()}};
  command.timeout = std::chrono::minutes(1);
  const auto start = std::chrono::steady_clock::now();
  const double before = processor_seconds_of_children();
  const auto output = run(command);
  Inspected found;
  found.processor_seconds = processor_seconds_of_children() - before;
  found.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  EXPECT_TRUE(output.has_value()) << output.error().message;
  if (!output) return found;
  found.exit_code = output->exit_code;
  found.out = output->out;
  found.err = output->err;
  for (const std::string* text : {&found.out, &found.err}) {
    for (const char c : *text) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << "character " << int{c} << " in " << *text;
  }
  EXPECT_FALSE(found.says("appliance")) << found.err;
  EXPECT_LT(found.err.size(), 4096U) << found.err;
  EXPECT_LT(found.duration, std::chrono::seconds(10));
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  EXPECT_LT(used.ru_maxrss, 512 * 1024) << "KiB, of the largest process so far";
  std::printf("             %lld ms, largest process so far %ld MiB, exit %d: %s", static_cast<long long>(found.duration.count()),
              used.ru_maxrss / 1024, found.exit_code, found.err.empty() ? "\n" : found.err.substr(0, 300).c_str());
  return found;
}

/// It failed, said why, and shows nothing else.
inline void expect_refused(const Inspected& found, std::string_view reason, int exit_code = 1) {
  EXPECT_EQ(found.exit_code, exit_code) << found.out << found.err;
  EXPECT_NE(found.err.find(reason), std::string::npos) << found.err;
  EXPECT_EQ(found.out, "");
}

inline fs::path sparse(const TempDir& dir, const std::string& name, std::uint64_t size) {
  fs::remove(dir / name);
  dir.write(name, "");
  fs::resize_file(dir / name, size);
  return dir / name;
}

inline fs::path image_of(const TempDir& dir, const std::vector<std::string>& options = {"-t", "ext4"}, const std::string& size = "64M") {
  return make_file_system(dir, "disk.raw", dir / "root", options, size);
}

}  // namespace vmpatch::guest::hostile
