#include "repository/debian/acquire.hpp"

#include <algorithm>
#include <array>

#include "repository/access.hpp"
#include "repository/apt/program.hpp"
#include "repository/debian/judge.hpp"
#include "repository/openpgp/verify.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/download.hpp"

namespace vmpatch::repository::debian {
namespace {

constexpr std::uint64_t max_release = 16U << 20U;
/// The largest list of today has 60 MB, uncompressed.
constexpr std::uint64_t max_index = 512U << 20U;
/// By size; what libapt-pkg reads.
constexpr std::array<const char*, 4> compressions{".xz", ".zst", ".gz", ""};

bool has(const std::vector<std::string>& all, const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

/// Debian's security suites call main "updates/main".
bool has_component(const Release& release, const std::string& component) {
  return std::any_of(release.components.begin(), release.components.end(), [&](const std::string& one) {
    return one == component || one.substr(one.rfind('/') + 1) == component;
  });
}

class Acquisition {
 public:
  Acquisition(const Source& source, const std::string& suite, const Surroundings& around, fetch::Access access)
      : source_(source), suite_(suite), around_(around), access_(std::move(access)) {}

  Result<Record> from(const std::string& uri, const std::optional<Record>& known) {
    uri_ = uri + "dists/" + suite_ + "/";
    VMPATCH_TRY(const fetch::Fetched signed_file, fetch::read_url(around_.session, {uri_ + "InRelease", access_, "", "", 0, max_release}));
    VMPATCH_TRY(auto verified, openpgp::verify_clearsigned(signed_file.content, source_.signed_by, around_.scratch));
    VMPATCH_TRY(const Release release, parse_release(verified.text));
    const auto digest = sha256(signed_file.content);
    const auto seen = known ? known->seen : std::nullopt;
    VMPATCH_CHECK(judge(source_, suite_, release, digest, seen, around_.now));
    Record record{accepted(release, digest), seen};
    VMPATCH_TRY(record.suite.configuration, configuration_of(source_));
    for (auto& signer : verified.signers) record.suite.signers.push_back({std::move(signer.fingerprint), std::move(signer.user)});
    VMPATCH_TRY(record.suite.release, around_.store.keep(verified.text));
    VMPATCH_CHECK(add_indexes(release, record.suite));
    if (!source_.snapshot) record.seen = Seen{release.codename, release.origin, release.label, release.date};
    return record;
  }

 private:
  Suite accepted(const Release& release, const Digest& signed_file) const {
    Suite suite;
    suite.repository = source_.name;
    suite.uri = source_.uris.front();
    suite.suite = suite_;
    suite.components = source_.components;
    suite.security = source_.security;
    suite.origin = release.origin;
    suite.label = release.label;
    suite.archive = release.suite;
    suite.codename = release.codename;
    suite.version = release.version;
    suite.date = release.date;
    suite.valid_until = release.valid_until;
    suite.pinned = source_.snapshot.has_value();
    suite.signed_file = signed_file;
    suite.fetched = around_.now;
    return suite;
  }

  Result<void> add_indexes(const Release& release, Suite& suite) {
    for (const std::string& component : source_.components) {
      if (!release.components.empty() && !has_component(release, component)) {
        return fail(Errc::not_found, "it has no component {}; it has {}", component, escape_untrusted(fmt::format("{}", fmt::join(release.components, ", "))));
      }
      auto architectures = source_.architectures;
      if (has(release.architectures, "all") && !release.all_is_in_each) architectures.emplace_back("all");
      for (const std::string& architecture : architectures) {
        if (!has(release.architectures, architecture)) {
          return fail(Errc::not_found, "it has nothing for {}; it has {}", architecture, escape_untrusted(fmt::format("{}", fmt::join(release.architectures, ", "))));
        }
        const std::string key = component + "/binary-" + architecture + "/Packages";
        VMPATCH_TRY(auto file, add_index(release, key));
        suite.indexes.emplace(key, std::move(file));
      }
    }
    return {};
  }

  /// The list as it is fast to read where the Release file says what that has to be, else as it came.
  Result<IndexFile> add_index(const Release& release, const std::string& key) {
    for (const char* compression : compressions) {
      const auto entry = release.files.find(key + compression);
      if (entry == release.files.end()) continue;
      const IndexFile file{entry->second.sha256, entry->second.size, compression};
      VMPATCH_CHECK(check_size(key + compression, file));
      const auto plain = release.files.find(key);
      if (file.compression.empty() || plain == release.files.end()) {
        VMPATCH_CHECK(fetch_index(release.by_hash, key + compression, file));
        return file;
      }
      const IndexFile unpacked{plain->second.sha256, plain->second.size, ""};
      VMPATCH_CHECK(check_size(key, unpacked));
      // Of a list that did not change nothing comes.
      if (around_.store.open_file(unpacked)) return unpacked;
      VMPATCH_CHECK(fetch_index(release.by_hash, key + compression, file));
      VMPATCH_CHECK(unpack(key + compression, file, unpacked));
      return unpacked;
    }
    return fail(Errc::not_found, "its Release file lists no {} in a form that can be read (.xz, .zst, .gz, plain)", key);
  }

  static Result<void> check_size(const std::string& name, const IndexFile& file) {
    if (file.size > max_index) return fail(Errc::untrusted, "endless data: {} has {}", name, format_size(file.size));
    return {};
  }

  Result<void> unpack(const std::string& name, const IndexFile& file, const IndexFile& unpacked) {
    VMPATCH_TRY(const fs::path packed, around_.store.open_file(file));
    const auto done = around_.store.keep_written(unpacked, [&](int fd) { return apt::run_program_into(fd, unpacked.size, {"unpack", packed.string()}); });
    if (!done && done.error().code == Errc::untrusted) {
      return fail(Errc::untrusted, "mix and match or tampering: {}, unpacked, is not what was signed: {}", name, done.error().message);
    }
    if (!done) return done.error().in(name);
    return around_.store.drop(file);
  }

  /// By its digest where the server has that: a list that is replaced meanwhile does not come.
  Result<void> fetch_index(bool by_hash, const std::string& name, const IndexFile& file) {
    const std::string folder = name.substr(0, name.rfind('/') + 1);
    std::vector<std::string> places;
    if (by_hash) places.push_back(folder + "by-hash/SHA256/" + file.sha256.hex());
    places.push_back(name);
    Result<UniqueFd> fd = fail(Errc::failed, "");
    for (const std::string& place : places) {
      fd = fetch::download(around_.session, uri_ + place, access_, {file.sha256, file.size}, around_.store.files());
      if (fd || fd.error().code == Errc::untrusted) break;
    }
    if (!fd && fd.error().code == Errc::untrusted) {
      return fail(Errc::untrusted, "mix and match or tampering: {} is not the one that was signed: {}", name, fd.error().message);
    }
    if (!fd) return fd.error().in(name);
    return around_.store.admit(file, fd->get());
  }

  const Source& source_;
  const std::string& suite_;
  const Surroundings& around_;
  fetch::Access access_;
  std::string uri_;
};

}  // namespace

Result<Record> acquire(const Source& source, const std::string& suite, const std::optional<Record>& known, const Surroundings& surroundings) {
  VMPATCH_TRY(auto access, make_access(source));
  Acquisition acquisition(source, suite, surroundings, std::move(access));
  Result<Record> record = fail(Errc::usage, "it has no address");
  for (const std::string& uri : source.uris) {
    record = acquisition.from(uri, known);
    if (record || record.error().code == Errc::untrusted) break;
    record = record.error().in(fetch::shown_url(uri));
  }
  if (!record) return record.error().in(fmt::format("repository {}, {}", source.name, suite));
  return record;
}

}  // namespace vmpatch::repository::debian
