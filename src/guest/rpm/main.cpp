// vm-patch-rpmdb FORMAT: reads the rpm database in the current folder and prints its packages, a JSON object a line. Started
// by vm-patch, without privileges, on a copy of a guest's database; it opens nothing outside of that folder.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>

#include "guest/rpm/database.hpp"
#include "guest/rpm/ndb.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch::guest::rpm {
namespace {

constexpr std::uint64_t max_ndb = 512U << 20U;

Result<void> print(const Json& package) {
  const std::string line = dump_json(package) + '\n';
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) return fail(Errc::failed, "cannot write the answer");
  return {};
}

Result<void> read_database(std::string_view format) {
  std::error_code error;
  const std::string folder = fs::current_path(error).string();
  if (error) return fail(Errc::failed, "no current folder: {}", error.message());
#ifndef __SANITIZE_ADDRESS__  // which opens files of its own
  // Before the first byte of the guest: librpm has loaded its libraries and needs nothing of the host any more.
  VMPATCH_CHECK(allow_only_files_below({{}, {folder}}));
#endif
  if (format == "sqlite") return for_each_package("sqlite", folder, print);
  if (format == "bdb") return for_each_package("bdb_ro", folder, print);
  if (format != "ndb") return fail(Errc::usage, "format '{}' is none of sqlite, ndb, bdb", format);
  VMPATCH_TRY(const std::string database, read_file("Packages.db", max_ndb));
  return for_each_ndb_header(database, [](std::string_view header) { return read_header(header, print); });
}

int run(std::string_view format) {
  const auto done = read_database(format);
  if (done && std::fflush(stdout) == 0) return 0;
  fmt::print(stderr, "{}\n", done ? "cannot write the answer" : done.error().message);
  return done ? 1 : exit_code(done.error().code);
}

}  // namespace
}  // namespace vmpatch::guest::rpm

int main(int argc, char** argv) {
  try {
    return vmpatch::guest::rpm::run(argc == 2 ? argv[1] : "");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
