#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "repository/access.hpp"
#include "repository/apt/resolver.hpp"
#include "repository/debian/acquire.hpp"
#include "repository/debian/judge.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/download.hpp"
#include "vmpatch/repository/repository.hpp"

namespace vmpatch::repository {
namespace {

/// Of lists that no state names any more: younger ones may be of another refresh that has not recorded them yet.
constexpr std::chrono::hours young_files_stay{48};

/// A server decodes what a name in a list has undecoded.
std::string url_of(const std::string& uri, const std::string& file) {
  std::string encoded = uri;
  for (const char c : file) encoded += c == '%' ? std::string("%25") : std::string(1, c);
  return encoded;
}

class AptRepositories final : public Repositories {
 public:
  AptRepositories(Store store, KeptAnswers kept, Places places, const Clock& clock, Log& log)
      : store_(std::move(store)), places_(std::move(places)), clock_(clock), session_(log), resolver_(store_, std::move(kept), places_.scratch, log) {}

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
    return resolver_.resolve(installed, snapshot, rules);
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
  apt::Resolver resolver_;
};

}  // namespace

Result<std::unique_ptr<Repositories>> make_apt_repositories(const Places& places, const Clock& clock, Log& log) {
  VMPATCH_TRY(auto store, Store::open(places.state, places.cache));
  VMPATCH_TRY(auto kept, KeptAnswers::open(places.state));
  return std::unique_ptr<Repositories>(std::make_unique<AptRepositories>(std::move(store), std::move(kept), places, clock, log));
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
