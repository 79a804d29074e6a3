#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "repository/access.hpp"
#include "repository/apt/check.hpp"
#include "repository/apt/program.hpp"
#include "repository/apt/request.hpp"
#include "repository/debian/acquire.hpp"
#include "repository/debian/judge.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/private_folder.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/download.hpp"
#include "vmpatch/repository/boot_loaders.hpp"
#include "vmpatch/repository/repository.hpp"

namespace vmpatch::repository {
namespace {

/// Of lists that no state names any more: younger ones may be of another refresh that has not recorded them yet.
constexpr std::chrono::hours young_files_stay{48};

Result<apt::SourceFiles> files_of(const Suite& suite, const Store& store) {
  apt::SourceFiles files{suite.uri, suite.suite, suite.components, "", {}, suite.security};
  VMPATCH_TRY(const fs::path release, store.open_file(suite.release));
  files.release = release.string();
  for (const auto& [key, index] : suite.indexes) {
    VMPATCH_TRY(const fs::path path, store.open_file(index));
    files.indexes.emplace(key, path.string());
  }
  return files;
}

/// By who has not seen the guest.
Result<void> check_exclusions(const Update& update, const std::vector<std::string>& exclude) {
  for (const Change& change : update.changes) {
    const bool excluded = std::any_of(exclude.begin(), exclude.end(), [&](const std::string& pattern) { return matches_pattern(pattern, change.name); });
    if (excluded) return fail(Errc::untrusted, "the resolver changes {}, which is excluded", change.name);
  }
  return {};
}

/// What no list is for nobody updates: that is no machine that is current.
Result<void> check_architectures(const guest::ManagerFiles& installed, const Snapshot& snapshot) {
  VMPATCH_TRY(const auto packages, guest::parse_dpkg_status(installed.files.at("status")));
  std::set<std::string> listed;
  for (const Suite& suite : snapshot.suites) {
    for (const auto& [key, file] : suite.indexes) listed.insert(key.substr(key.rfind("/binary-") + 8, key.rfind('/') - key.rfind("/binary-") - 8));
  }
  for (const guest::Package& package : packages) {
    if (!package.on_disk() || package.arch == "all" || listed.contains(package.arch)) continue;
    return fail(Errc::not_found, "no repository has lists for {}, of which {} is installed: add it to `architectures:`", escape_untrusted(package.arch),
                escape_untrusted(package.name));
  }
  return {};
}

/// A server decodes what a name in a list has undecoded.
std::string url_of(const std::string& uri, const std::string& file) {
  std::string encoded = uri;
  for (const char c : file) encoded += c == '%' ? std::string("%25") : std::string(1, c);
  return encoded;
}

class AptRepositories final : public Repositories {
 public:
  AptRepositories(Store store, Places places, const Clock& clock, Log& log)
      : store_(std::move(store)), places_(std::move(places)), clock_(clock), session_(log) {}

  Result<std::vector<Suite>> refresh(const Source& source) override {
    VMPATCH_TRY(const UniqueFd lock, store_.lock(source.name));
    std::vector<Record> records;
    for (const std::string& suite : source.suites) {
      VMPATCH_TRY(const auto known, store_.find(source.name, suite));
      VMPATCH_TRY(auto record, debian::acquire(source, suite, known, {store_, session_, places_.scratch, clock_.now()}));
      records.push_back(std::move(record));
    }
    std::vector<Suite> suites;
    for (const Record& record : records) {
      VMPATCH_CHECK(store_.save(record));
      suites.push_back(record.suite);
    }
    store_.sweep(young_files_stay);
    return suites;
  }

  Result<std::vector<Suite>> load(const Source& source) override {
    std::vector<Suite> suites;
    for (const std::string& name : source.suites) {
      VMPATCH_TRY(auto record, store_.find(source.name, name));
      if (!record) return fail(Errc::not_found, "repository {}, {}: nothing was fetched yet; run vm-patch repository refresh", source.name, name);
      const auto usable = debian::judge_kept(source, record->suite, clock_.now());
      if (!usable) return usable.error().in(fmt::format("repository {}, {}", source.name, name));
      suites.push_back(std::move(record->suite));
    }
    return suites;
  }

  Result<bool> forget(const std::string& repository) override {
    // The name becomes a folder's.
    const bool plain = !repository.empty() && repository.front() != '.' && repository.find('/') == std::string::npos;
    if (!plain) return fail(Errc::usage, "'{}' is no name of a repository", escape_untrusted(repository));
    VMPATCH_TRY(const UniqueFd lock, store_.lock(repository));
    return store_.forget(repository);
  }

  Result<Update> resolve(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Rules& rules) override {
    if (installed.manager != "dpkg") return fail(Errc::unsupported, "apt repositories are for guests with dpkg, not {}", installed.manager);
    VMPATCH_CHECK(check_architectures(installed, snapshot));
    apt::ResolveRequest request;
    request.architectures = installed.architectures;
    request.mode = rules.mode;
    request.exclude = rules.exclude;
    request.exclude.insert(request.exclude.end(), boot_loader_packages().begin(), boot_loader_packages().end());
    for (const Suite& suite : snapshot.suites) {
      VMPATCH_TRY(auto files, files_of(suite, store_));
      request.sources.push_back(std::move(files));
    }
    VMPATCH_TRY(const std::string answer, ask(installed, request));
    VMPATCH_TRY(Update update, apt::checked_update(answer, installed, snapshot, rules.mode, store_));
    VMPATCH_CHECK(check_exclusions(update, request.exclude));
    return update;
  }

  Result<void> fetch(const Update& update, const std::vector<Source>& sources, recipe::PayloadStore& payloads) override {
    for (const Change& change : update.changes) {
      if (change.to.empty()) continue;
      const recipe::Payload payload{fs::path(change.file).filename().string(), change.sha256, change.size};
      if (payloads.has(payload)) continue;
      const auto source = std::find_if(sources.begin(), sources.end(), [&](const Source& one) { return one.name == change.repository; });
      if (source == sources.end()) return fail(Errc::not_found, "repository {} is not configured any more", change.repository);
      VMPATCH_TRY(const UniqueFd fd, download(*source, change));
      VMPATCH_CHECK(payloads.add(payload, [&](char* buffer, std::size_t size) -> Result<std::size_t> {
        const ssize_t got = ::read(fd.get(), buffer, size);
        if (got < 0) return errno_error(errno, payload.name);
        return static_cast<std::size_t>(got);
      }));
      // The store has it now.
      static_cast<void>(::unlink((store_.files() / change.sha256.hex()).c_str()));
    }
    return {};
  }

 private:
  Result<std::string> ask(const guest::ManagerFiles& installed, const apt::ResolveRequest& request) {
    VMPATCH_CHECK(make_dirs(places_.scratch, 0711, Lifetime::scratch));
    VMPATCH_TRY(const auto folder, PrivateFolder::make(places_.scratch, "apt-"));
    for (const char* name : {"preferences.d", "apt.conf.d"}) VMPATCH_CHECK(folder->make_folder(name));
    for (const auto& [name, content] : installed.files) VMPATCH_CHECK(folder->write(name, content));
    const auto account = fresh_credentials();
    VMPATCH_CHECK(folder->give_to(account));
    return apt::run_program({"resolve"}, folder->path(), account, dump_json(apt::to_json(request)));
  }

  Result<UniqueFd> download(const Source& source, const Change& change) {
    VMPATCH_TRY(const auto access, make_access(source));
    Result<UniqueFd> fd = fail(Errc::usage, "it has no address");
    for (const std::string& uri : source.uris) {
      fd = fetch::download(session_, url_of(uri, change.file), access, {change.sha256, change.size}, store_.files());
      // Another server may have it right: what comes is compared with what was signed.
      if (fd) return fd;
      fd = fd.error().in(fetch::shown_url(url_of(uri, change.file)));
    }
    if (fd.error().code == Errc::untrusted) return fd.error().in(fmt::format("mix and match or tampering: repository {}", source.name));
    return fd.error().in("repository " + source.name);
  }

  Store store_;
  Places places_;
  const Clock& clock_;
  fetch::Session session_;
};

}  // namespace

Result<std::unique_ptr<Repositories>> make_apt_repositories(const Places& places, const Clock& clock, Log& log) {
  VMPATCH_TRY(auto store, Store::open(places.state, places.cache));
  return std::unique_ptr<Repositories>(std::make_unique<AptRepositories>(std::move(store), places, clock, log));
}

std::vector<Source> sources_for(const std::vector<Source>& all, const guest::OsRelease& os) {
  std::vector<Source> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](const Source& source) {
    const auto& versions = source.versions;
    return source.os_id == os.id && (versions.empty() || std::find(versions.begin(), versions.end(), os.version_id) != versions.end());
  });
  return found;
}

}  // namespace vmpatch::repository
