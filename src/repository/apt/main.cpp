// vm-patch-apt: libapt-pkg for vm-patch. Started without privileges and network, with its own folder as current folder:
//   vm-patch-apt identity       prints which program and which libapt-pkg answer (identity.hpp)
//   vm-patch-apt index FILE …   prints what package lists hold, a line a package (index.hpp), after "# N" for the N-th file
//   vm-patch-apt unpack FILE    writes a compressed list's content (unpack.hpp)
//   vm-patch-apt resolve        reads a request (request.hpp) from standard input, a file, and prints the answer (answer.hpp)
#include <apt-pkg/cachefile.h>
#include <apt-pkg/configuration.h>
#include <apt-pkg/init.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "repository/apt/answer.hpp"
#include "repository/apt/configuration.hpp"
#include "repository/apt/database.hpp"
#include "repository/apt/errors.hpp"
#include "repository/apt/exclusions.hpp"
#include "repository/apt/identity.hpp"
#include "repository/apt/index.hpp"
#include "repository/apt/phasing.hpp"
#include "repository/apt/unpack.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/seccomp.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::uint64_t max_request = 4U << 20U;

Result<void> print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fputc('\n', stdout) == EOF) {
    return fail(Errc::failed, "cannot write the answer");
  }
  return {};
}

Result<void> confine([[maybe_unused]] const std::vector<fs::path>& read, [[maybe_unused]] const std::vector<fs::path>& write) {
#ifndef __SANITIZE_ADDRESS__  // which opens files of its own
  VMPATCH_CHECK(allow_only_files_below({read, write}));
#endif
  return {};
}

Result<void> index(const std::vector<std::string>& files) {
  std::vector<fs::path> folders;
  for (const std::string& file : files) folders.push_back(fs::path(file).parent_path());
  if (!pkgInitConfig(*_config)) return complaint("cannot set libapt-pkg up");
  VMPATCH_CHECK(confine(folders, {}));
  for (std::size_t i = 0; i < files.size(); ++i) {
    VMPATCH_CHECK(print(fmt::format("# {}", i)));
    VMPATCH_CHECK(index_packages(files[i], print));
  }
  return {};
}

Result<void> unpack(const std::string& file) {
  if (!pkgInitConfig(*_config)) return complaint("cannot set libapt-pkg up");
  VMPATCH_CHECK(confine({fs::path(file).parent_path()}, {}));
  return unpack_list(file, STDOUT_FILENO);
}

Result<void> identity() {
  VMPATCH_TRY(const std::string own, own_identity());
  return print(own);
}

Result<void> resolve() {
  VMPATCH_TRY(const std::string text, read_fd(STDIN_FILENO, max_request, "the request"));
  VMPATCH_TRY(const Json json, parse_json(text, "the request"));
  VMPATCH_TRY(const ResolveRequest request, resolve_request_from_json(json));
  const std::string folder = fs::current_path().string();
  VMPATCH_CHECK(configure(folder, request));
  VMPATCH_TRY(const ListedSources listed, link_lists(folder, request));
  std::vector<fs::path> lists;
  for (const SourceFiles& source : request.sources) {
    lists.push_back(fs::path(source.release).parent_path());
    for (const auto& [key, path] : source.indexes) lists.push_back(fs::path(path).parent_path());
  }
  // Before the first byte of the guest.
  VMPATCH_CHECK(confine(lists, {folder}));
  VMPATCH_CHECK(carry_over_settings(folder));
  pkgCacheFile file;
  if (!file.BuildCaches(nullptr, false)) return complaint("the package database cannot be read");
  ExcludingPolicy policy(file.GetPkgCache(), request);
  if (!ReadPinFile(policy) || !ReadPinDir(policy)) return complaint("the guest's preferences cannot be read");
  pkgDepCache cache(file.GetPkgCache(), &policy);
  if (!cache.Init(nullptr)) return complaint("the package database cannot be read");
  VMPATCH_CHECK(no_complaints("the package database cannot be read"));
  VMPATCH_CHECK(check_database(cache, folder));
  // Of security updates every machine takes part in all.
  if (request.machine_id_withheld && request.mode == Mode::all && needs_id(cache)) return print(needs_machine_id);
  const Origins origins(request, listed);
  VMPATCH_TRY(const AllKeptBack kept, mark_updates(cache, request, origins));
  VMPATCH_TRY(const auto operations, order_operations(cache));
  VMPATCH_TRY(const Json answer, make_answer(cache, origins, kept, operations));
  return print(dump_json(answer));
}

int run(const std::vector<std::string>& arguments) {
  Result<void> done = fail(Errc::usage, "vm-patch-apt is called by vm-patch: identity, index FILE ..., unpack FILE or resolve");
  if (arguments.size() == 1 && arguments[0] == "identity") done = identity();
  if (arguments.size() > 1 && arguments[0] == "index") done = index({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 2 && arguments[0] == "unpack") done = unpack(arguments[1]);
  if (arguments.size() == 1 && arguments[0] == "resolve") done = resolve();
  if (done && std::fflush(stdout) == 0) return 0;
  fmt::print(stderr, "{}\n", done ? "cannot write the answer" : done.error().message);
  return done ? 1 : exit_code(done.error().code);
}

}  // namespace
}  // namespace vmpatch::repository::apt

int main(int argc, char** argv) {
  try {
    return vmpatch::repository::apt::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
