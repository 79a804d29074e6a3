#include "cli/scan/feeds.hpp"

#include "cli/common/output.hpp"
#include "vmpatch/advisory/obtain.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
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

std::string age_of(Time then, Time now) {
  return format_duration(std::max(Seconds(0), std::chrono::duration_cast<Seconds>(now - then)));
}

}  // namespace

Result<std::vector<FeedFile>> obtain_feeds(const Context& context, const ScanOptions& options, const policy::Policy& policy, Log& log) {
  advisory::ObtainOptions how;
  how.cache_dir = context.paths.cache / "feeds";
  how.max_age = policy.feed_max_age;
  how.offline = options.offline;
  how.refresh = options.refresh;
  if (!options.max_feed_age.empty()) {
    VMPATCH_TRY(how.max_age, parse_duration(options.max_feed_age));
  }
  std::vector<FeedFile> files;
  for (const std::string& location : options.feeds.empty() ? policy.feeds : options.feeds) {
    VMPATCH_CHECK(check_location(location));
    VMPATCH_TRY(auto file, advisory::obtain(location, how, context.clock, log));
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

std::string format_feeds(const std::vector<FeedState>& states, Time now) {
  Table table({"FEED", "KIND", "AGE", "SHA-256", "RECORDS", "RELEVANT", "WITHDRAWN", "SKIPPED"});
  for (const FeedState& state : states) {
    table.add_row({escape_untrusted(state.origin), std::string(advisory::to_string(state.kind)), age_of(state.issued.value_or(state.fetched), now),
                   state.digest.hex().substr(0, 12), fmt::format("{}", state.records), fmt::format("{}", state.relevant),
                   fmt::format("{}", state.withdrawn), fmt::format("{}", state.skipped)});
  }
  return table.format();
}

}  // namespace vmpatch::cli
