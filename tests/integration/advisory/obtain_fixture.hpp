#pragma once
// obtain() with a server on loopback.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "unit/core/scratch.hpp"
#include "vmpatch/advisory/obtain.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"

namespace vmpatch::advisory {

inline const std::string content = "{\"vulnerabilities\":[]}\n";

class CollectingLog final : public Log {
 public:
  void write(Level level, std::string_view line) override {
    if (level == Level::warning) warnings.emplace_back(line);
  }
  std::vector<std::string> warnings;
};

/// feed_server.py; with a PEM file that holds certificate and key it speaks TLS.
class Server {
 public:
  explicit Server(const fs::path& log, const fs::path& identity = {}) : log_(log), scheme_(identity.empty() ? "http" : "https") {
    std::array<int, 2> in{}, out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const UniqueFd child_in(in[0]), child_out(out[1]), reader(out[0]);
    alive_.reset(in[1]);
    Command command;
    command.argv = {"python3", std::string(VMPATCH_SOURCE_DIR) + "/tests/integration/advisory/feed_server.py", log.string()};
    if (!identity.empty()) command.argv.push_back(identity.string());
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
  fs::path log_;
  std::string scheme_;
  UniqueFd alive_;
  Child child_;
  std::string port_;
};

class Obtain : public testing::Test {
 protected:
  Obtain() : server_(scratch_ / "requests") {
    set_internal_program_dir(fs::path(VMPATCH_BINARY_DIR) / "bin");
    ::unsetenv("http_proxy");
    ::unsetenv("all_proxy");
    options_.cache_dir = scratch_ / "feeds";
  }
  /// Nothing but the files that are locked while somebody fetches.
  [[nodiscard]] bool holds_no_copy() const {
    for (const auto& entry : fs::directory_iterator(options_.cache_dir)) {
      if (entry.path().extension() != ".lock") return false;
    }
    return true;
  }
  Result<FeedFile> get(const std::string& location) { return obtain(location, options_, clock_, log_); }
  /// What the unprivileged account may enter, and with `writable` also change.
  fs::path open_folder(const std::string& name, bool writable = false) {
    fs::permissions(scratch_.path(), fs::perms(0755));
    fs::create_directory(scratch_ / name);
    fs::permissions(scratch_ / name, fs::perms(writable ? 0777 : 0755));
    return scratch_ / name;
  }
  void later(Seconds time) { clock_.set(clock_.now() + time); }
  static std::string text(const FeedFile& file) { return read_file(file.file).value_or("?"); }
  /// Of the cache: everything but whole copies.
  [[nodiscard]] std::size_t leftovers() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(options_.cache_dir)) {
      const auto extension = entry.path().extension();
      count += extension != ".data" && extension != ".json" && extension != ".lock" ? 1U : 0U;
    }
    return count;
  }

  test::Scratch scratch_;
  Server server_;
  ObtainOptions options_;
  FixedClock clock_{*parse_time("2026-11-20T10:00:00Z")};
  CollectingLog log_;
};

}  // namespace vmpatch::advisory
