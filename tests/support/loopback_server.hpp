#pragma once
// A server of a test: a Python script beside it that prints its port, then serves until its input closes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::test {

class LoopbackServer {
 public:
  /// `script` is named from tests/; its first argument is `log`, a file that gets a line for each request.
  LoopbackServer(const std::string& script, const std::filesystem::path& log, const std::vector<std::string>& arguments, std::string scheme = "http")
      : log_(log), scheme_(std::move(scheme)) {
    std::array<int, 2> in{}, out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const UniqueFd child_in(in[0]), child_out(out[1]), reader(out[0]);
    alive_.reset(in[1]);
    Command command;
    command.argv = {"python3", "-B", std::string(VMPATCH_SOURCE_DIR) + "/tests/" + script, log.string()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.descriptors = {{child_in.get(), 0}, {child_out.get(), 1}};
    auto child = Child::start(command, STDERR_FILENO);
    if (!child) throw std::runtime_error(child.error().message);
    child_ = std::move(*child);
    char c = 0;
    while (::read(reader.get(), &c, 1) == 1 && c != '\n') port_ += c;
  }
  [[nodiscard]] std::string url(const std::string& path) const { return named_url("127.0.0.1", path); }
  [[nodiscard]] std::string named_url(const std::string& host, const std::string& path) const {
    return scheme_ + "://" + host + ":" + port_ + path;
  }
  [[nodiscard]] std::vector<std::string> requests() const {
    std::vector<std::string> lines;
    std::ifstream in(log_);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  void stop() {
    child_.kill();
    ASSERT_TRUE(child_.wait(std::chrono::milliseconds(5000)).has_value());
  }

 private:
  std::filesystem::path log_;
  std::string scheme_;
  UniqueFd alive_;
  Child child_;
  std::string port_;
};

}  // namespace vmpatch::test
