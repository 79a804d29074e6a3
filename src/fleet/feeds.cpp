#include "vmpatch/fleet/feeds.hpp"

#include "vmpatch/advisory/obtain.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

using advisory::FeedFile;
using advisory::FeedKind;
using advisory::FeedState;

/// KEV and EPSS only add to vulnerabilities that others have told of.
bool comes_last(FeedKind kind) { return kind == FeedKind::kev || kind == FeedKind::epss; }

void tell_skipped(const FeedState& state, Log& log) {
  if (state.skipped == 0) return;
  log.warn("feed {}: {} of {} records were not understood and are left out{}", escape_untrusted(state.origin), state.skipped,
           state.records, state.problems.empty() ? "" : ": " + state.problems.front());
  for (std::size_t i = 1; i < state.problems.size(); ++i) log.debug("feed {}: {}", escape_untrusted(state.origin), state.problems[i]);
}

/// What the names of files and URLs do not tell apart: a kind that is none, and a URL of a file.
Result<void> check_location(const std::string& text) {
  const auto equals = text.find('=');
  const std::string word = text.substr(0, equals == std::string::npos ? 0 : equals);
  const bool has_kind = !word.empty() && advisory::parse_feed_kind(word);
  const std::string target = has_kind ? text.substr(equals + 1) : text;
  if (target.starts_with("file:")) {
    return fail(Errc::usage, "feed {}: a file is named by its path alone, without 'file:'", escape_untrusted(text));
  }
  const bool could_be_kind = !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
  std::error_code ignored;
  if (has_kind || !could_be_kind || fs::exists(text, ignored)) return {};
  return fail(Errc::usage, "feed {}: '{}' is no kind of feed, and there is no file of the whole name; KIND is osv, debian-tracker, csaf, kev or epss",
              escape_untrusted(text), word);
}

}  // namespace

Result<std::vector<FeedFile>> obtain_feeds(const Invocation& invocation, const FeedOptions& options, const policy::Policy& policy, Log& log) {
  advisory::ObtainOptions how;
  how.cache_dir = invocation.paths.cache / "feeds";
  how.max_age = policy.feed_max_age;
  how.offline = options.offline;
  how.refresh = options.refresh;
  if (!options.max_age.empty()) {
    VMPATCH_TRY(how.max_age, parse_duration(options.max_age));
  }
  std::vector<FeedFile> files;
  for (const std::string& location : options.locations.empty() ? policy.feeds : options.locations) {
    VMPATCH_CHECK(check_location(location));
    VMPATCH_TRY(auto file, advisory::obtain(location, how, invocation.clock, log));
    files.push_back(std::move(file));
  }
  return files;
}

Result<Feeds> load_feeds(const std::vector<FeedFile>& files, advisory::Interest interest, Log& log) {
  Feeds feeds{advisory::Database(std::move(interest)), std::vector<FeedState>(files.size())};
  std::vector<bool> is_loaded(files.size(), false);
  // Content tells the kind of some: what turns out to be KEV or EPSS on the first way is read again on the second.
  for (const bool last : {false, true}) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (is_loaded[i] || (!last && comes_last(files[i].kind))) continue;
      VMPATCH_TRY(feeds.states[i], feeds.database.load(files[i]));
      is_loaded[i] = last || !comes_last(feeds.states[i].kind);
    }
  }
  for (const FeedState& state : feeds.states) tell_skipped(state, log);
  return feeds;
}

}  // namespace vmpatch::fleet
