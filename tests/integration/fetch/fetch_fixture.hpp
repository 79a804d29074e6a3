#pragma once
// The real vm-patch-fetch and a server on loopback.

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "support/loopback_server.hpp"
#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {

class FileServer : public test::LoopbackServer {
 public:
  FileServer(const fs::path& log, const fs::path& folder) : LoopbackServer("integration/fetch/file_server.py", log, {folder.string()}) {}
  /// By TLS; with `clients` only to those who have the key of a certificate in it.
  FileServer(const fs::path& log, const fs::path& folder, const fs::path& identity, const fs::path& clients = {})
      : LoopbackServer("integration/fetch/file_server.py", log, arguments(folder, identity, clients), "https") {}

  /// The words of each request: connection, path, Range, If-Range, If-None-Match.
  [[nodiscard]] std::vector<std::vector<std::string>> asked() const {
    std::vector<std::vector<std::string>> all;
    for (const std::string& line : requests()) {
      std::vector<std::string> words;
      for (const std::string_view word : split(line, ' ')) words.emplace_back(word);
      all.push_back(std::move(words));
    }
    return all;
  }

 private:
  static std::vector<std::string> arguments(const fs::path& folder, const fs::path& identity, const fs::path& clients) {
    std::vector<std::string> all{folder.string(), identity.string()};
    if (!clients.empty()) all.push_back(clients.string());
    return all;
  }
};

class RecordingLog final : public Log {
 public:
  void write(Level, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

/// The children of this process that are called vm-patch-fetch.
inline std::vector<pid_t> running_fetchers() {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string status = read_file(entry.path() / "status").value_or("");
    const bool ours = status.starts_with("Name:\tvm-patch-fetch\n") && status.find("\nPPid:\t" + std::to_string(::getpid()) + "\n") != std::string::npos;
    if (ours && status.find("\nState:\tZ") == std::string::npos) found.push_back(std::stoi(entry.path().filename()));
  }
  return found;
}

class Fetch : public testing::Test {
 protected:
  Fetch() : folder_(make_folder("files")), server_(scratch_ / "requests", folder_) {
    set_internal_program_dir(fs::path(VMPATCH_BINARY_DIR) / "bin");
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE"}) ::unsetenv(name);
    put("small", "content of a small file\n");
  }
  fs::path make_folder(const std::string& name) {
    fs::create_directory(scratch_ / name);
    return scratch_ / name;
  }
  void put(const std::string& name, const std::string& content) { std::ofstream(folder_ / name, std::ios::binary) << content; }
  /// Content of which each place differs from the others.
  static std::string numbers(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
    text.resize(size);
    return text;
  }
  [[nodiscard]] Request ask(const std::string& path) const {
    Request request;
    request.url = server_.url(path);
    return request;
  }
  /// The content lies in content_ then, from start_ on.
  Result<Reply> get(const Request& request) {
    content_.clear();
    start_ = 0;
    return session_.fetch(request, [&](std::uint64_t at, std::string_view bytes) -> Result<void> {
      if (content_.empty()) start_ = at;
      EXPECT_EQ(at, start_ + content_.size());
      content_ += bytes;
      return {};
    });
  }

  test::Scratch scratch_;
  fs::path folder_;
  FileServer server_;
  RecordingLog log_;
  Session session_{log_};
  std::string content_;
  std::uint64_t start_ = 0;
};

}  // namespace vmpatch::fetch
