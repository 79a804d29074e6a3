#include "repository/debian/release.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::debian {
namespace {

constexpr std::size_t max_files = 200'000;
constexpr std::size_t max_line = 16'384;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  for (const auto word : split(text, ' ')) {
    if (!trim(word).empty()) all.emplace_back(trim(word));
  }
  return all;
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// Of one line, in UTF-8: it is compared with what is kept as JSON.
bool is_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0 || static_cast<unsigned char>(text.front()) < ' ') return false;
    text.remove_prefix(length);
  }
  return true;
}

/// A relative path that stays below its folder.
bool is_plain_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  const auto parts = split(path, '/');
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return !part.empty() && part != "." && part != ".." &&
           std::all_of(part.begin(), part.end(), [](unsigned char c) { return c > ' ' && c < 0x7F && c != '\\' && c != '?' && c != '#' && c != '%'; });
  });
}

class Parser {
 public:
  Result<Release> parse(std::string_view text) {
    std::size_t number = 0;
    for (const auto raw : split(text, '\n')) {
      ++number;
      const auto line = raw.ends_with('\r') ? raw.substr(0, raw.size() - 1) : raw;
      auto taken = take(line);
      if (!taken) return fail(Errc::untrusted, "line {} of its Release file: {}", number, taken.error().message);
    }
    if (!fields_.contains("date")) return fail(Errc::untrusted, "its Release file has no Date");
    if (release_.files.empty()) return fail(Errc::untrusted, "its Release file has no SHA256 list");
    return std::move(release_);
  }

 private:
  Result<void> take(std::string_view line) {
    if (line.size() > max_line) return fail(Errc::untrusted, "it has more than {} bytes", max_line);
    if (line.find('\0') != std::string_view::npos) return fail(Errc::untrusted, "it has a NUL byte");
    if (trim(line).empty()) {
      ended_ = ended_ || !fields_.empty();
      return {};
    }
    if (ended_) return fail(Errc::untrusted, "there is a second paragraph");
    if (line.front() == ' ' || line.front() == '\t') return field_ == "sha256" ? take_file(trim(line)) : Result<void>{};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return fail(Errc::untrusted, "it is no field");
    field_ = std::string(line.substr(0, colon));
    std::transform(field_.begin(), field_.end(), field_.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c); });
    if (!fields_.emplace(field_, true).second) return fail(Errc::untrusted, "the field {} comes twice", escape_untrusted(field_));
    return take_field(trim(line.substr(colon + 1)));
  }

  Result<void> take_field(std::string_view value) {
    const std::map<std::string_view, std::string*> texts{{"origin", &release_.origin}, {"label", &release_.label}, {"suite", &release_.suite},
                                                         {"codename", &release_.codename}, {"version", &release_.version}};
    if (const auto text = texts.find(field_); text != texts.end()) {
      if (!is_text(value)) return fail(Errc::untrusted, "its {} is no line of UTF-8", field_);
      *text->second = value;
    }
    if (field_ == "architectures") release_.architectures = words(value);
    if (field_ == "components") release_.components = words(value);
    if (field_ == "acquire-by-hash") release_.by_hash = value == "yes";
    if (field_ == "no-support-for-architecture-all") release_.all_is_in_each = value == "Packages";
    if (field_ == "date") {
      VMPATCH_TRY(release_.date, parse_release_date(value));
    }
    if (field_ == "valid-until") {
      VMPATCH_TRY(release_.valid_until, parse_release_date(value));
    }
    return {};
  }

  Result<void> take_file(std::string_view line) {
    const auto parts = words(line);
    FileEntry entry;
    const auto digest = parts.size() == 3 ? Digest::parse(parts[0]) : fail(Errc::failed, "");
    if (!digest || !parse_number(parts[1], entry.size)) return fail(Errc::untrusted, "it is no digest, size and file");
    if (!is_plain_path(parts[2])) return fail(Errc::untrusted, "{} is no path of a file in a suite", escape_untrusted(parts[2]));
    entry.sha256 = *digest;
    if (!release_.files.emplace(parts[2], entry).second) return fail(Errc::untrusted, "{} is listed twice", escape_untrusted(parts[2]));
    if (release_.files.size() > max_files) return fail(Errc::untrusted, "more than {} files", max_files);
    return {};
  }

  Release release_;
  std::map<std::string, bool> fields_;
  std::string field_;
  bool ended_ = false;
};

}  // namespace

Result<Release> parse_release(std::string_view text) { return Parser().parse(text); }

Result<Time> parse_release_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto wrong = [&] { return fail(Errc::untrusted, "'{}' is no date like Sat, 11 Nov 2023 10:00:00 UTC", escape_untrusted(text)); };
  auto parts = words(text);
  if (parts.size() == 6 && parts[0].ends_with(',')) parts.erase(parts.begin());
  if (parts.size() != 5 || (parts[4] != "UTC" && parts[4] != "GMT" && parts[4] != "Z" && parts[4] != "+0000")) return wrong();
  const auto month = std::find(months.begin(), months.end(), parts[1]);
  const auto clock = split(parts[3], ':');
  unsigned day = 0, hour = 0, minute = 0, second = 0;
  int year = 0;
  if (month == months.end() || clock.size() != 3 || !parse_number(parts[0], day) || !parse_number(parts[2], year) || !parse_number(clock[0], hour) ||
      !parse_number(clock[1], minute) || !parse_number(clock[2], second)) {
    return wrong();
  }
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1), std::chrono::day(day)};
  if (!date.ok() || year < 1990 || year > 2200 || hour > 23 || minute > 59 || second > 60) return wrong();
  return Time{sys_days(date)} + hours(hour) + minutes(minute) + seconds(second);
}

}  // namespace vmpatch::repository::debian
