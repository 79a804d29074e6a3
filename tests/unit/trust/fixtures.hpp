#pragma once
// Real keys and a scratch folder for tests of trust and of what builds on it.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::test {

/// A folder of its own, removed at the end.
class ScratchDir {
 public:
  ScratchDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vmpatch-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "mkdtemp " << pattern;
    path_ = pattern;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Runs a program that must succeed.
inline Result<CommandOutput> run_tool(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  return run_checked(command);
}

inline Time at(std::string_view text) {
  auto time = parse_time(text);
  EXPECT_TRUE(time) << text;
  return time ? *time : Time{};
}

inline trust::PrivateKey make_key(trust::KeyType type = trust::KeyType::ed25519) {
  auto key = trust::PrivateKey::generate(type);
  EXPECT_TRUE(key) << key.error().message;
  return std::move(*key);
}

inline trust::TrustedKey trusted(const trust::PrivateKey& key, std::string role, std::string name = "") {
  trust::TrustedKey entry;
  auto public_key = key.public_key();
  EXPECT_TRUE(public_key) << public_key.error().message;
  entry.key = std::make_shared<const trust::PublicKey>(std::move(*public_key));
  entry.role = std::move(role);
  entry.name = std::move(name);
  return entry;
}

}  // namespace vmpatch::test
