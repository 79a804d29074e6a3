#include "repository/apt/check.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "repository/apt/answer_json.hpp"
#include "repository/apt/offers.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/repository/boot_loaders.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/versions.hpp"

namespace vmpatch::repository::apt {
namespace {

using Kind = Operation::Kind;

class Check {
 public:
  Check(const guest::ManagerFiles& installed, const Snapshot& snapshot, Mode mode, AllOffers& offers)
      : installed_(installed), snapshot_(snapshot), mode_(mode), offers_(offers) {}

  Result<Update> run(RawAnswer answer) {
    VMPATCH_CHECK(read_installed());
    std::set<Key> seen;
    for (std::size_t i = 0; i < answer.update.changes.size(); ++i) {
      Change& change = answer.update.changes[i];
      if (!seen.insert(key(change.name, change.arch)).second) return fail(Errc::untrusted, "the resolver changes {} {} twice", change.name, change.arch);
      VMPATCH_CHECK(check_installed(change));
      if (!change.to.empty()) VMPATCH_CHECK(check_offered(change, answer.sources[i]));
      VMPATCH_CHECK(check_mode(change));
    }
    VMPATCH_CHECK(check_operations(answer.update));
    return std::move(answer.update);
  }

 private:
  using Key = std::pair<std::string, std::string>;

  /// A package for all architectures is one of the guest's own: a new version may turn one into the other.
  [[nodiscard]] Key key(const std::string& name, const std::string& arch) const {
    const bool own = arch.empty() || arch == "all";
    return {name, own && !installed_.architectures.empty() ? installed_.architectures.front() : arch};
  }

  Result<void> read_installed() {
    const auto status = installed_.files.find("status");
    if (status == installed_.files.end()) return fail(Errc::failed, "the guest's package database is missing");
    VMPATCH_TRY(auto packages, guest::parse_dpkg_status(status->second));
    for (guest::Package& package : packages) {
      if (!package.on_disk()) continue;
      if (!package.installed()) unfinished_.insert(package.name);
      on_disk_.emplace(key(package.name, package.arch), std::move(package));
    }
    return {};
  }

  Result<void> check_installed(Change& change) const {
    if (change.from.empty() && change.to.empty()) return fail(Errc::untrusted, "the resolver removes {}, which is not there", change.name);
    const auto found = on_disk_.find(key(change.name, change.arch));
    const std::string version = found == on_disk_.end() ? "" : found->second.version;
    if (version != change.from) {
      return fail(Errc::untrusted, "the resolver says that of {} {} there is {}, and by the guest's database there is {}", change.name, change.arch,
                  shown(change.from), shown(escape_untrusted(version)));
    }
    change.essential = change.essential || (found != on_disk_.end() && found->second.essential);
    change.downgrade = !change.from.empty() && !change.to.empty() && guest::compare_versions(guest::VersionScheme::deb, change.to, change.from) < 0;
    return {};
  }
  static std::string shown(const std::string& version) { return version.empty() ? "none" : version; }

  /// What is installed moves to a security update, or stays.
  Result<void> check_mode(const Change& change) const {
    if (mode_ == Mode::all || change.from.empty() || (!change.to.empty() && change.security)) return {};
    return fail(Errc::untrusted, "the resolver changes {} {} to {}, which is no security update", change.name, change.from, shown(change.to));
  }

  Result<void> check_offered(Change& change, std::size_t source) {
    if (source >= snapshot_.suites.size()) return fail(Errc::untrusted, "the resolver takes {} from a repository that is not there", change.name);
    const Suite& suite = snapshot_.suites[source];
    VMPATCH_TRY(const auto offer, offered(change, source, change.file));
    if (!offer) {
      return fail(Errc::untrusted, "the resolver takes {} {} from {} {}, whose verified lists do not offer it like that", change.name, change.to,
                  suite.repository, suite.suite);
    }
    change.repository = suite.repository;
    change.suite = suite.suite;
    change.source = offer->source;
    change.source_version = offer->source_version;
    VMPATCH_TRY(change.security, is_security(change));
    return {};
  }

  /// By whichever repository of security updates: several may have the same package, in other places.
  Result<bool> is_security(const Change& change) {
    for (std::size_t source = 0; source < snapshot_.suites.size(); ++source) {
      if (!snapshot_.suites[source].security) continue;
      VMPATCH_TRY(const auto offer, offered(change, source, std::nullopt));
      if (offer) return true;
    }
    return false;
  }

  Result<std::optional<Offer>> offered(const Change& change, std::size_t source, const std::optional<std::string>& file) {
    for (const auto& [key, index] : snapshot_.suites[source].indexes) {
      VMPATCH_TRY(const auto list, offers_.of(index));
      VMPATCH_TRY(const auto offers, list->find(change.name));
      const auto found = std::find_if(offers.begin(), offers.end(), [&](const Offer& offer) {
        return offer.arch == change.arch && offer.version == change.to && offer.size == change.size && offer.sha256 == change.sha256 &&
               (!file || offer.file == *file);
      });
      // Its views stay good as long as the lists, which are kept.
      if (found != offers.end()) return std::optional(*found);
    }
    return std::optional<Offer>();
  }

  /// By name: of an architecture that changes the two sides have different ones.
  Result<void> check_operations(const Update& update) const {
    std::map<std::string, int> unpacked, configured, removed, to_install, to_remove;
    for (const Operation& operation : update.operations) {
      auto& counted = operation.kind == Kind::unpack ? unpacked : operation.kind == Kind::configure ? configured : removed;
      ++counted[operation.name];
    }
    for (const Change& change : update.changes) ++(change.to.empty() ? to_remove : to_install)[change.name];
    const bool complete = unpacked == to_install && std::all_of(to_install.begin(), to_install.end(), [&](const auto& entry) {
      return configured.contains(entry.first);
    }) && std::all_of(to_remove.begin(), to_remove.end(), [&](const auto& entry) { return removed.contains(entry.first); });
    const bool exact = std::all_of(configured.begin(), configured.end(), [&](const auto& entry) {
      return to_install.contains(entry.first) || unfinished_.contains(entry.first);
    }) && std::all_of(removed.begin(), removed.end(), [&](const auto& entry) {
      // For a moment, to break a circle of conflicts.
      return to_remove.contains(entry.first) || to_install.contains(entry.first);
    });
    if (complete && exact) return {};
    return fail(Errc::untrusted, "the resolver's operations do not make its changes");
  }

  const guest::ManagerFiles& installed_;
  const Snapshot& snapshot_;
  Mode mode_;
  AllOffers& offers_;
  std::map<Key, guest::Package> on_disk_;
  std::set<std::string> unfinished_;
};

}  // namespace

Result<Update> checked_update(std::string_view answer, const guest::ManagerFiles& installed, const Snapshot& snapshot, Mode mode, AllOffers& offers) {
  VMPATCH_TRY(RawAnswer raw, parse_answer(answer));
  VMPATCH_TRY(Update update, Check(installed, snapshot, mode, offers).run(std::move(raw)));
  for (Kept& kept : update.kept) {
    if (kept.why == "excluded" && is_boot_loader(kept.name)) kept.why = "boot loaders are not updated offline: update it in the running machine";
  }
  update.snapshot = snapshot.digest();
  update.mode = mode;
  return update;
}

}  // namespace vmpatch::repository::apt
