#pragma once
// obtain() with a server on loopback.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "support/loopback_server.hpp"
#include "unit/core/scratch.hpp"
#include "vmpatch/advisory/obtain.hpp"
#include "vmpatch/core/file.hpp"
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
class Server : public test::LoopbackServer {
 public:
  explicit Server(const fs::path& log) : LoopbackServer("integration/advisory/feed_server.py", log, {}) {}
  Server(const fs::path& log, const fs::path& identity) : LoopbackServer("integration/advisory/feed_server.py", log, {identity.string()}, "https") {}
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
