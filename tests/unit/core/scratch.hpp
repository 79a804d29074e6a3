#pragma once
// What the tests of core share: a folder that goes away, and a pipe that tells when the last holder is dead.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::test {

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vm-patch-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch folder");
    path_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct TestPipe {
  TestPipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

/// Processes that hold the writer keep it "alive". Closes our own writer first. The 20 s only bound a failure.
inline bool all_holders_die(TestPipe& life) {
  life.writer.reset();
  pollfd watched{life.reader.get(), 0, 0};
  return ::poll(&watched, 1, 20'000) == 1 && (watched.revents & POLLHUP) != 0;
}

}  // namespace vmpatch::test
