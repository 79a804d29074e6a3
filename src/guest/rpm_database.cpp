#include "guest/rpm_database.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <tuple>

#include "guest/package_list.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/private_folder.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_database = 512U << 20U;
constexpr std::uint64_t chunk = 16U << 20U;
constexpr std::size_t max_answer = 64U << 20U;
constexpr rlim_t cpu_seconds = 2;  ///< 400 MiB of 3,000 packages take half a second

constexpr std::array<std::pair<RpmFormat, std::string_view>, 3> files{
    {{RpmFormat::sqlite, "rpmdb.sqlite"}, {RpmFormat::ndb, "Packages.db"}, {RpmFormat::bdb, "Packages"}}};

std::string file_name(RpmFormat format) {
  return std::string(std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.first == format; })->second);
}

constexpr const char* copy_prefix = "vm-patch-rpmdb-";

Result<std::unique_ptr<PrivateFolder>> make_copy() {
  std::error_code error;
  return PrivateFolder::make(fs::temp_directory_path(error), copy_prefix);
}

Result<void> add(const PrivateFolder& copy, Guest& guest, const std::string& path, const std::string& name) {
  VMPATCH_TRY(const FileStat info, guest.stat(path));
  if (info.kind != FileKind::regular) return fail(Errc::failed, "{} is not a regular file", path);
  if (info.size > max_database) {
    return fail(Errc::failed, "{} has {}, more than the {} of any honest database", path, format_size(info.size), format_size(max_database));
  }
  VMPATCH_TRY(const UniqueFd fd, copy.create(name));
  for (std::uint64_t offset = 0; offset < info.size; offset += chunk) {
    const std::uint64_t length = std::min(chunk, info.size - offset);
    VMPATCH_TRY(const std::string bytes, guest.read_range(path, offset, length));
    if (bytes.size() != length) return fail(Errc::failed, "{} ends early", path);
    VMPATCH_CHECK(write_all(fd.get(), bytes));
  }
  return {};
}

Result<CommandOutput> run_reader(const PrivateFolder& copy, RpmFormat format, const std::optional<Credentials>& account) {
  VMPATCH_TRY(const fs::path program, internal_program("vm-patch-rpmdb"));
  VMPATCH_TRY(const SystemCallFilter filter, deny_escape());
  Command command;
  command.argv = {program.string(), std::string(to_string(format))};
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}, {"HOME", "/nonexistent"}};
  command.run_as = account;
  command.cwd = copy.path();
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_CPU, cpu_seconds}, {RLIMIT_NOFILE, 64}, {RLIMIT_FSIZE, max_answer}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  command.limits.emplace_back(RLIMIT_AS, 1U << 30U);
#endif
  command.timeout = std::chrono::seconds(30);
  command.max_output = max_answer;
  command.filter = &filter;
  auto output = run(command);
  if (output) return output;
  return Error{output.error().code, fmt::format("{} (in {}; TMPDIR must name a folder that every account may enter)",
                                                output.error().message, copy.path().string())};
}

/// The last line of what rpm said.
std::string reason(const CommandOutput& output) {
  if (output.exit_code == 128 + SIGKILL || output.exit_code == 128 + SIGXCPU) {
    return "it takes more processor time or memory than any honest database";
  }
  const auto lines = split(trim(output.err), '\n');
  const std::string_view last = lines.empty() ? std::string_view() : trim(lines.back());
  if (last.empty()) return fmt::format("the reader ended with exit code {}", output.exit_code);
  return escape_untrusted(last.substr(0, 300));
}

Result<std::string> field(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return fail(Errc::failed, "a package without {}", name);
  auto text = found->get<std::string>();
  if (text.size() > max_package_field || text.find_first_of(std::string_view("\n\0", 2)) != std::string::npos) {
    return fail(Errc::failed, "a package with an impossible {}", name);
  }
  return text;
}

Result<Package> parse_line(std::string_view line) {
  VMPATCH_TRY(const Json json, parse_json(line, "answer of vm-patch-rpmdb"));
  if (!json.is_object()) return fail(Errc::failed, "an answer that is no object");
  Package package;
  VMPATCH_TRY(package.name, field(json, "name"));
  VMPATCH_TRY(package.version, field(json, "version"));
  VMPATCH_TRY(package.arch, field(json, "arch"));
  VMPATCH_TRY(package.source, field(json, "source"));
  VMPATCH_TRY(package.source_version, field(json, "source_version"));
  if (json.contains("module")) {
    VMPATCH_TRY(package.module, field(json, "module"));
  }
  if (package.name.empty() || package.name.find_first_of(" \t/") != std::string::npos) {
    return fail(Errc::failed, "a package without a valid name");
  }
  if (package.version.empty()) return fail(Errc::failed, "package {} has no version", escape_untrusted(package.name));
  package.status = installed_status;
  return package;
}

}  // namespace

std::string_view to_string(RpmFormat format) {
  switch (format) {
    case RpmFormat::sqlite: return "sqlite";
    case RpmFormat::ndb: return "ndb";
    case RpmFormat::bdb: return "bdb";
  }
  return "";
}

Result<std::optional<RpmDatabase>> find_rpm_database(Guest& guest) {
  for (const char* folder : {"/usr/lib/sysimage/rpm/", "/var/lib/rpm/"}) {
    for (const auto& [format, name] : files) {
      RpmDatabase database{folder + std::string(name), format};
      const auto info = guest.stat(database.path);
      if (info) return std::optional(std::move(database));
      if (info.error().code != Errc::not_found) return info.error();
    }
  }
  return std::optional<RpmDatabase>();
}

Result<std::vector<Package>> parse_rpm_answer(std::string_view lines) {
  PackageList list;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    if (end == std::string_view::npos) return fail(Errc::failed, "the answer of vm-patch-rpmdb is cut off");
    VMPATCH_TRY(Package package, parse_line(lines.substr(0, end)));
    VMPATCH_CHECK(list.add(std::move(package)));
    lines.remove_prefix(end + 1);
  }
  auto packages = list.take();
  std::sort(packages.begin(), packages.end(), [](const Package& a, const Package& b) {
    return std::tie(a.name, a.version, a.arch) < std::tie(b.name, b.version, b.arch);
  });
  return packages;
}

Result<std::vector<Package>> read_rpm_database(Guest& guest, const RpmDatabase& database) {
  VMPATCH_TRY(const auto copy, make_copy());
  VMPATCH_CHECK(add(*copy, guest, database.path, file_name(database.format)));
  if (database.format == RpmFormat::sqlite) {
    // What a machine that was switched off had committed but not yet moved into the main file.
    const auto log = add(*copy, guest, database.path + "-wal", file_name(database.format) + "-wal");
    if (!log && log.error().code != Errc::not_found) return log.error();
  }
  const auto account = worker_credentials();
  VMPATCH_CHECK(copy->give_to(account));
  const auto output = run_reader(*copy, database.format, account);
  if (!output) return output.error().in(database.path);
  if (output->exit_code != 0) {
    return fail(Errc::failed, "{}: cannot read the rpm database ({}): {}", database.path, to_string(database.format), reason(*output));
  }
  if (output->truncated) return fail(Errc::failed, "{}: the rpm database holds too much", database.path);
  auto packages = parse_rpm_answer(output->out);
  if (!packages) return packages.error().in(database.path);
  return packages;
}

}  // namespace vmpatch::guest
