#pragma once
// Images made and judged by QEMU's own tools, independent of the code under test.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image::test {

inline CommandOutput run_tool(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  command.timeout = std::chrono::minutes(2);
  auto output = run(command);
  EXPECT_TRUE(output.has_value()) << output.error().message;
  return output ? *output : CommandOutput{};
}

inline void must(std::vector<std::string> argv) {
  const std::string name = argv[0] + " " + argv[1];
  const auto output = run_tool(std::move(argv));
  ASSERT_EQ(output.exit_code, 0) << name << ": " << output.out << output.err;
}

/// qemu-io commands on an image, e.g. {"write -P 1 0 64k"}.
inline CommandOutput qemu_io(const fs::path& image, Format format, const std::vector<std::string>& commands) {
  std::vector<std::string> argv{"qemu-io", "-f", std::string(to_string(format))};
  for (const auto& command : commands) {
    argv.emplace_back("-c");
    argv.push_back(command);
  }
  argv.push_back(image.native());
  return run_tool(std::move(argv));
}

inline void write_image(const fs::path& image, Format format, const std::vector<std::string>& commands) {
  const auto output = qemu_io(image, format, commands);
  ASSERT_EQ(output.exit_code, 0) << output.out << output.err;
}

/// The same commands through an NBD export.
inline void write_export(const NbdExport& disk, const std::vector<std::string>& commands) {
  std::vector<std::string> argv{"qemu-io", "-f", "raw"};
  for (const auto& command : commands) {
    argv.emplace_back("-c");
    argv.push_back(command);
  }
  argv.push_back(disk.uri());
  const auto output = run_tool(std::move(argv));
  ASSERT_EQ(output.exit_code, 0) << output.out << output.err;
}

inline void create_image(const fs::path& image, Format format, const std::string& size,
                         const std::string& options = "") {
  std::vector<std::string> argv{"qemu-img", "create", "-q", "-f", std::string(to_string(format))};
  if (!options.empty()) argv.insert(argv.end(), {"-o", options});
  argv.insert(argv.end(), {image.native(), size});
  must(std::move(argv));
}

/// Equal virtual content, by qemu-img compare.
inline bool same_content(const fs::path& a, Format a_format, const std::string& b, Format b_format) {
  return run_tool({"qemu-img", "compare", "-f", std::string(to_string(a_format)), "-F", std::string(to_string(b_format)),
                   a.native(), b})
             .exit_code == 0;
}

/// Virtual content as a raw file.
inline void flatten(const fs::path& image, Format format, const fs::path& raw) {
  must({"qemu-img", "convert", "-f", std::string(to_string(format)), "-O", "raw", image.native(), raw.native()});
}

inline bool sound(const fs::path& image) {
  // 0: no errors; 3: leaked clusters only.
  const int code = run_tool({"qemu-img", "check", "-f", "qcow2", image.native()}).exit_code;
  return code == 0 || code == 3;
}

inline Digest file_digest(const fs::path& path) { return sha256(read_whole(path)); }

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

inline void expect_ok(const Result<void>& result) { EXPECT_TRUE(result.has_value()) << result.error().message; }

}  // namespace vmpatch::image::test
