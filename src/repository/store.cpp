#include "repository/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <set>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/own_folder.hpp"

namespace vmpatch::repository {
namespace {

constexpr std::uint64_t max_record = 4U << 20U;

Json to_json(const std::optional<Seen>& seen) {
  if (!seen) return {};
  return Json{{"codename", seen->codename}, {"origin", seen->origin}, {"label", seen->label}, {"date", format_time(seen->date)}};
}

Result<std::optional<Seen>> seen_from_json(const Json& json) {
  if (json.is_null()) return std::optional<Seen>();
  Seen seen;
  for (auto& [key, target] : {std::pair<const char*, std::string*>{"codename", &seen.codename}, {"origin", &seen.origin}, {"label", &seen.label}}) {
    json.at(key).get_to(*target);
  }
  VMPATCH_TRY(seen.date, parse_time(json.at("date").get<std::string>()));
  return std::optional(std::move(seen));
}

Result<Record> record_from_json(const Json& json) {
  Record record;
  try {
    VMPATCH_TRY(record.suite, suite_from_json(json.at("suite")));
    VMPATCH_TRY(record.seen, seen_from_json(json.at("seen")));
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "it is no record of a repository of this version: {}", error.what());
  }
  return record;
}

}  // namespace

Result<Store> Store::open(const fs::path& state, const fs::path& cache) {
  const Store store(state / "repositories", cache / "repositories");
  VMPATCH_CHECK(make_dirs(store.records_, 0700));
  VMPATCH_CHECK(make_dirs(store.files_, 0755, Lifetime::scratch));
  VMPATCH_CHECK(check_own_folder(store.files_));
  return store;
}

/// Suites may have slashes in their names; '%' is in none.
fs::path Store::record_file(const std::string& repository, const std::string& suite) const {
  std::string name = suite;
  for (auto at = name.find('/'); at != std::string::npos; at = name.find('/', at)) name.replace(at, 1, "%2F");
  return records_ / repository / (name + ".json");
}

Result<std::optional<Record>> Store::find(const std::string& repository, const std::string& suite) const {
  const fs::path file = record_file(repository, suite);
  const auto text = read_file(file, max_record);
  if (!text && text.error().code == Errc::not_found) return std::optional<Record>();
  if (!text) return text.error();
  const auto json = parse_json(*text, file.string());
  auto record = json ? record_from_json(*json) : Result<Record>(json.error());
  if (!record) {
    return fail(Errc::failed, "{}: {}; what was seen of {} {} is not known: remove the file with vm-patch repository forget {}, and refresh",
                file.string(), record.error().message, repository, suite, repository);
  }
  return std::optional(std::move(*record));
}

Result<void> Store::save(const Record& record) const {
  const fs::path file = record_file(record.suite.repository, record.suite.suite);
  VMPATCH_CHECK(make_dirs(file.parent_path(), 0700));
  const Json json{{"suite", to_json(record.suite)}, {"seen", to_json(record.seen)}};
  return write_file_atomic(file, dump_json(json, 2) + "\n", 0600);
}

Result<bool> Store::forget(const std::string& repository) const {
  std::error_code error;
  const bool known = fs::exists(records_ / repository, error);
  VMPATCH_CHECK(remove_tree(records_ / repository));
  return known;
}

void Store::sweep(std::chrono::seconds age) const {
  std::set<std::string> named;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(records_, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".json") continue;
    const auto text = read_file(entry->path(), max_record);
    const auto json = text ? parse_json(*text, entry->path().string()) : Result<Json>(text.error());
    const auto record = json ? record_from_json(*json) : Result<Record>(json.error());
    if (!record) return;  // what it names is not known
    named.insert(record->suite.release.sha256.hex());
    for (const auto& [key, file] : record->suite.indexes) named.insert(file.sha256.hex());
  }
  if (error) return;
  constexpr std::size_t hex_digits = 64;
  for (fs::directory_iterator entry(files_, error), end; !error && entry != end; entry.increment(error)) {
    struct stat info {};
    const std::string name = entry->path().filename().string();
    const bool ours = name.size() >= hex_digits && name.find_first_not_of("0123456789abcdef") >= hex_digits;
    if (!ours || named.contains(name.substr(0, hex_digits)) || ::lstat(entry->path().c_str(), &info) != 0) continue;
    // What another process has just fetched, and not yet recorded, is young.
    if (std::time(nullptr) - info.st_ctime > age.count()) static_cast<void>(::unlink(entry->path().c_str()));
  }
}

Result<UniqueFd> Store::lock(const std::string& repository) const {
  // No repository's name begins with a dot.
  auto lock = lock_file(records_ / ("." + repository + ".lock"));
  if (!lock && lock.error().code == Errc::busy) return lock.error().in("another vm-patch refreshes repository " + repository);
  return lock;
}

Result<fs::path> Store::open_file(const IndexFile& file) const {
  const fs::path path = files_ / file.sha256.hex();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const int why = errno;
  if (!fd && why == ENOENT) return fail(Errc::not_found, "{} is not in the cache any more: run vm-patch repository refresh", path.string());
  if (!fd && why != ELOOP) return errno_error(why, path.string());
  struct stat info {};
  const bool is_file = fd && ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode);
  if (!is_file) return fail(Errc::untrusted, "{} is no regular file; remove it, and refresh", path.string());
  if (static_cast<std::uint64_t>(info.st_size) == file.size) {
    VMPATCH_TRY(const Digest digest, sha256_fd(fd.get(), file.size));
    if (digest == file.sha256) {
      VMPATCH_CHECK(admit(file, fd.get()));
      return fs::path(path.string() + file.compression);
    }
  }
  return fail(Errc::untrusted, "{} has another content than its name says; remove it, and refresh", path.string());
}

Result<IndexFile> Store::keep(std::string_view content) const {
  const IndexFile file{sha256(content), content.size(), ""};
  VMPATCH_CHECK(write_file_atomic(files_ / file.sha256.hex(), content, 0644));
  return file;
}

Result<void> Store::keep_written(const IndexFile& file, const std::function<Result<void>(int fd)>& write) const {
  const fs::path path = files_ / file.sha256.hex();
  std::string pattern = path.string() + ".XXXXXX";  // goes with the others when a killed process leaves it
  const UniqueFd fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) return errno_error(errno, pattern);
  const auto fill = [&]() -> Result<void> {
    VMPATCH_CHECK(write(fd.get()));
    VMPATCH_TRY(const Digest digest, sha256_fd(fd.get(), file.size));
    if (digest != file.sha256) return fail(Errc::untrusted, "it has the SHA-256 {}, not {}", digest.hex(), file.sha256.hex());
    if (::fchmod(fd.get(), 0644) != 0 || ::rename(pattern.c_str(), path.c_str()) != 0) return errno_error(errno, path.string());
    return {};
  };
  auto done = fill();
  if (!done) static_cast<void>(::unlink(pattern.c_str()));
  return done;
}

Result<void> Store::drop(const IndexFile& file) const {
  const fs::path path = files_ / file.sha256.hex();
  if (!file.compression.empty()) VMPATCH_CHECK(remove_tree(path.string() + file.compression));
  return remove_tree(path);
}

Result<void> Store::admit(const IndexFile& file, int fd) const {
  const std::string name = file.sha256.hex();
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, name);
  if ((info.st_mode & 0444U) != 0444U && ::fchmod(fd, 0644) != 0) return errno_error(errno, (files_ / name).string());
  if (file.compression.empty()) return {};
  const fs::path with_ending = files_ / (name + file.compression);
  std::error_code error;
  if (fs::read_symlink(with_ending, error) == name) return {};
  // Whatever else has this name was not hashed.
  VMPATCH_CHECK(remove_tree(with_ending));
  fs::create_symlink(name, with_ending, error);
  if (error && error != std::errc::file_exists) return fail(Errc::failed, "cannot make {}: {}", with_ending.string(), error.message());
  return {};
}

}  // namespace vmpatch::repository
