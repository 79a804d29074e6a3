#include "repository/apt/check.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "repository/apt/answer_json.hpp"
#include "repository/apt/offers.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::apt {
namespace {

using Kind = Operation::Kind;

class Check {
 public:
  Check(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Store& store) : installed_(installed), snapshot_(snapshot), store_(store) {}

  Result<Update> run(RawAnswer answer) {
    VMPATCH_CHECK(read_installed());
    for (std::size_t i = 0; i < answer.update.changes.size(); ++i) {
      Change& change = answer.update.changes[i];
      VMPATCH_CHECK(check_installed(change));
      if (!change.to.empty()) VMPATCH_CHECK(check_offered(change, answer.sources[i]));
    }
    VMPATCH_CHECK(check_operations(answer.update));
    return std::move(answer.update);
  }

 private:
  Result<void> read_installed() {
    VMPATCH_TRY(const auto packages, guest::parse_dpkg_status(installed_.files.at("status")));
    for (const guest::Package& package : packages) {
      if (package.on_disk()) versions_.emplace(package.name, package.version);
      if (package.on_disk() && !package.installed()) unfinished_.insert(package.name);
    }
    return {};
  }

  Result<void> check_installed(const Change& change) const {
    if (change.from.empty() && change.to.empty()) return fail(Errc::untrusted, "the resolver removes {}, which is not there", change.name);
    const auto [first, last] = versions_.equal_range(change.name);
    const bool there = std::any_of(first, last, [&](const auto& entry) { return entry.second == change.from; });
    if (change.from.empty() || there) return {};
    return fail(Errc::untrusted, "the resolver says that {} {} is installed, and the guest's database does not", change.name, change.from);
  }

  Result<void> check_offered(Change& change, std::size_t source) {
    if (source >= snapshot_.suites.size()) return fail(Errc::untrusted, "the resolver takes {} from a repository that is not there", change.name);
    const Suite& suite = snapshot_.suites[source];
    VMPATCH_TRY(const auto* lists, lists_of(source));
    for (const Offers& list : *lists) {
      VMPATCH_TRY(const auto offers, list.find(change.name));
      for (const Offer& offer : offers) {
        const bool same = offer.arch == change.arch && offer.version == change.to && offer.file == change.file && offer.size == change.size &&
                          offer.sha256 == change.sha256;
        if (!same) continue;
        change.repository = suite.repository;
        change.suite = suite.suite;
        change.source = offer.source;
        change.source_version = offer.source_version;
        return {};
      }
    }
    return fail(Errc::untrusted, "the resolver takes {} {} from {} {}, whose verified lists do not offer it like that", change.name, change.to,
                suite.repository, suite.suite);
  }

  Result<const std::vector<Offers>*> lists_of(std::size_t source) {
    const auto found = lists_.find(source);
    if (found != lists_.end()) return &found->second;
    std::vector<Offers> lists;
    for (const auto& [key, file] : snapshot_.suites[source].indexes) {
      VMPATCH_TRY(Offers offers, Offers::load(store_, file));
      lists.push_back(std::move(offers));
    }
    return &lists_.emplace(source, std::move(lists)).first->second;
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
  const Store& store_;
  std::multimap<std::string, std::string> versions_;
  std::set<std::string> unfinished_;
  std::map<std::size_t, std::vector<Offers>> lists_;
};

}  // namespace

Result<Update> checked_update(std::string_view answer, const guest::ManagerFiles& installed, const Snapshot& snapshot, Mode mode, const Store& store) {
  VMPATCH_TRY(RawAnswer raw, parse_answer(answer));
  VMPATCH_TRY(Update update, Check(installed, snapshot, store).run(std::move(raw)));
  update.snapshot = snapshot.digest();
  update.mode = mode;
  return update;
}

}  // namespace vmpatch::repository::apt
