#include "repository/debian/judge.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::debian {
namespace {

/// Clocks of servers and of this host differ.
constexpr std::chrono::hours clock_slack{1};

std::string age(Time then, Time now) { return format_duration(std::chrono::duration_cast<Seconds>(now - then)); }

/// Its date is in its name: the operator asked for an old one.
Result<void> judge_pin(const Pin& pin, const Release& release, const Digest& signed_file) {
  if (const auto* digest = std::get_if<Digest>(&pin)) {
    if (*digest == signed_file) return {};
    return fail(Errc::untrusted, "snapshot: InRelease has the SHA-256 {}, not {} as `snapshot:` demands", signed_file.hex(), digest->hex());
  }
  const Time end = std::get<Time>(pin);
  if (release.date < end) return {};
  return fail(Errc::untrusted, "snapshot: it was made {}, and `snapshot:` demands one from before {}; name the address of an archive of that day",
              format_time(release.date), format_time(end));
}

/// In buster/updates, as Debian's security updates were named up to Debian 10, it says buster.
Result<void> judge_name(const std::string& suite, const Release& release) {
  const std::string first = suite.substr(0, suite.rfind('/'));
  for (const std::string& name : {suite, first}) {
    if (!name.empty() && (name == release.suite || name == release.codename)) return {};
  }
  return fail(Errc::untrusted, "another archive: it is {} (codename {}), not {}", escape_untrusted(release.suite), escape_untrusted(release.codename), suite);
}

Result<void> judge_change(const Release& release, const Seen& seen) {
  const auto changed = [](std::string_view what, const std::string& before, const std::string& now) {
    return fail(Errc::untrusted, "another archive: its {} was '{}' and is '{}'; if that is meant, vm-patch repository forget it and refresh", what,
                escape_untrusted(before), escape_untrusted(now));
  };
  if (seen.codename != release.codename) return changed("codename", seen.codename, release.codename);
  if (seen.origin != release.origin) return changed("origin", seen.origin, release.origin);
  if (seen.label != release.label) return changed("label", seen.label, release.label);
  if (release.date < seen.date) {
    return fail(Errc::untrusted, "rollback: it was made {}, before the one of {} that was seen; the server is behind, or shows an old state on purpose",
                format_time(release.date), format_time(seen.date));
  }
  return {};
}

}  // namespace

Result<void> judge_age(const Source& source, Time date, std::optional<Time> valid_until, Time now) {
  if (source.snapshot) return {};
  if (valid_until && *valid_until < now) {
    return fail(Errc::untrusted, "freeze: it expired {}, {} ago; the server no longer follows its archive, or hides newer updates",
                format_time(*valid_until), age(*valid_until, now));
  }
  if (source.max_age && now - date > *source.max_age) {
    return fail(Errc::untrusted, "freeze: it was made {}, {} ago, and `max_age` permits {}", format_time(date), age(date, now),
                format_duration(*source.max_age));
  }
  return {};
}

Result<void> judge_kept(const Source& source, const Suite& suite, Time now) {
  VMPATCH_TRY(const Digest configuration, configuration_of(source));
  if (configuration != suite.configuration) {
    return fail(Errc::untrusted, "its configuration or its keys changed since its lists were accepted: run vm-patch repository refresh");
  }
  if (suite.date > now + clock_slack || suite.fetched > now + clock_slack) {
    return fail(Errc::untrusted, "clock: its lists were fetched {}, and now it is {}; the clock of this host was set back", format_time(suite.fetched), format_time(now));
  }
  return judge_age(source, suite.date, suite.valid_until, now);
}

Result<void> judge(const Source& source, const std::string& suite, const Release& release, const Digest& signed_file,
                   const std::optional<Seen>& seen, Time now) {
  VMPATCH_CHECK(judge_name(suite, release));
  if (release.date > now + clock_slack) {
    return fail(Errc::untrusted, "clock: it was made {}, and now it is {}; one of the clocks is wrong", format_time(release.date), format_time(now));
  }
  if (source.snapshot) return judge_pin(*source.snapshot, release, signed_file);
  if (seen) VMPATCH_CHECK(judge_change(release, *seen));
  return judge_age(source, release.date, release.valid_until, now);
}

}  // namespace vmpatch::repository::debian
