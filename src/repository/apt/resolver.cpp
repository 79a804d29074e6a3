#include "repository/apt/resolver.hpp"

#include <algorithm>
#include <set>

#include "repository/apt/check.hpp"
#include "repository/apt/program.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/private_folder.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/repository/boot_loaders.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::uint64_t max_release = 16U << 20U;
constexpr const char* machine_id = "machine-id";

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

ResolveRequest request_for(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Rules& rules) {
  ResolveRequest request;
  request.architectures = installed.architectures;
  request.mode = rules.mode;
  request.exclude = rules.exclude;
  request.exclude.insert(request.exclude.end(), boot_loader_packages().begin(), boot_loader_packages().end());
  for (const Suite& suite : snapshot.suites) request.sources.push_back({suite.uri, suite.suite, suite.components, "", {}, suite.security});
  return request;
}

}  // namespace

Result<Update> Resolver::resolve(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Rules& rules) {
  Question question{installed, snapshot, request_for(installed, snapshot, rules)};
  // Clones have one each, and it seldom decides anything.
  question.request.machine_id_withheld = true;
  VMPATCH_TRY(Answer found, answer(question));
  if (found) return std::move(*found);
  question.request.machine_id_withheld = false;
  VMPATCH_TRY(found, answer(question));
  if (!found) return fail(Errc::untrusted, "the resolver gives no answer");
  return std::move(*found);
}

Result<Resolver::Answer> Resolver::answer(const Question& question) {
  VMPATCH_TRY(const Digest key, key_of(question));
  std::promise<Shared> promise;
  std::shared_future<Shared> future;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = asked_.try_emplace(key);
    if (is_new) entry->second = promise.get_future().share();
    future = entry->second;
    first = is_new;
  }
  if (first) promise.set_value(std::make_shared<const Result<Answer>>(attempt("the resolver", [&] { return find_or_ask(key, question); })));
  return *future.get();
}

Result<Resolver::Answer> Resolver::find_or_ask(const Digest& key, const Question& question) {
  VMPATCH_CHECK(check_architectures(question.installed, question.snapshot));
  if (const auto kept = kept_.find(key)) {
    auto checked = check(*kept, question);
    log_.debug("answer {}: {}", key.hex(), checked ? "it was kept" : "the kept one is not used: " + checked.error().message);
    if (checked) return checked;
  }
  log_.debug("answer {}: vm-patch-apt is asked", key.hex());
  VMPATCH_TRY(const std::string text, ask(question));
  VMPATCH_TRY(Answer checked, check(text, question));
  if (const auto done = kept_.keep(key, text); !done) log_.warn("an answer is not kept: {}", done.error().message);
  return checked;
}

Result<Resolver::Answer> Resolver::check(std::string_view text, const Question& question) {
  if (question.request.machine_id_withheld && trim(text) == needs_machine_id) return Answer();
  VMPATCH_TRY(Update update, checked_update(text, question.installed, question.snapshot, question.request.mode, offers_));
  VMPATCH_CHECK(check_exclusions(update, question.request.exclude));
  return Answer(std::move(update));
}

Result<std::string> Resolver::ask(const Question& question) {
  ResolveRequest request = question.request;
  for (std::size_t i = 0; i < request.sources.size(); ++i) {
    const Suite& suite = question.snapshot.suites[i];
    VMPATCH_TRY(const fs::path release, open_file(suite.release));
    request.sources[i].release = release.string();
    for (const auto& [key, index] : suite.indexes) {
      VMPATCH_TRY(const fs::path path, open_file(index));
      request.sources[i].indexes.emplace(key, path.string());
    }
  }
  VMPATCH_CHECK(make_dirs(scratch_, 0711, Lifetime::scratch));
  VMPATCH_TRY(const auto folder, PrivateFolder::make(scratch_, "apt-"));
  for (const char* name : {"preferences.d", "apt.conf.d"}) VMPATCH_CHECK(folder->make_folder(name));
  for (const auto& [name, content] : question.installed.files) {
    if (!request.machine_id_withheld || name != machine_id) VMPATCH_CHECK(folder->write(name, content));
  }
  const auto account = fresh_credentials();
  VMPATCH_CHECK(folder->give_to(account));
  return run_program({"resolve"}, folder->path(), account, dump_json(to_json(request)));
}

Result<Digest> Resolver::key_of(const Question& question) {
  std::vector<ListedContent> lists;
  for (const Suite& suite : question.snapshot.suites) {
    ListedContent content;
    VMPATCH_TRY(content.release, release_content(suite.release));
    for (const auto& [key, index] : suite.indexes) content.indexes.emplace(key, index.sha256);
    lists.push_back(std::move(content));
  }
  VMPATCH_TRY(std::string resolver, identity());
  return digest_of(Inputs{question.installed, question.request, std::move(lists), std::move(resolver), running_kernel()});
}

Result<std::string> Resolver::identity() {
  const std::lock_guard lock(mutex_);
  if (!identity_) identity_ = run_program({"identity"}, "/", fresh_credentials());
  return *identity_;
}

Result<Digest> Resolver::release_content(const IndexFile& release) {
  VMPATCH_TRY(const fs::path path, open_file(release));
  const std::lock_guard lock(mutex_);
  if (const auto found = releases_.find(release.sha256); found != releases_.end()) return found->second;
  VMPATCH_TRY(const std::string text, read_file(path, max_release));
  return releases_.emplace(release.sha256, content_of_release(text)).first->second;
}

Result<fs::path> Resolver::open_file(const IndexFile& file) {
  const std::lock_guard lock(mutex_);
  if (const auto found = opened_.find(file.sha256); found != opened_.end()) return found->second;
  VMPATCH_TRY(fs::path path, store_.open_file(file));
  return opened_.emplace(file.sha256, std::move(path)).first->second;
}

}  // namespace vmpatch::repository::apt
