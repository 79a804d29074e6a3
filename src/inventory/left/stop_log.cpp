#include "inventory/left/stop_log.hpp"

#include <charconv>

#include "inventory/left/regular_file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::string_view time_form = "0000-00-00 00:00:00.000+0000";
constexpr std::uint64_t ordinary_tail = 16U << 10U;
constexpr std::uint64_t largest_tail = 4U << 20U;  // twice what virtlogd keeps in one file

/// A line of libvirt's own: when, and what. QEMU's lines have another form of time.
struct Line {
  Time when{};
  std::string_view text;
};

std::optional<Line> parse_line(std::string_view line) {
  if (line.size() <= time_form.size() + 2 || line.substr(time_form.size(), 2) != ": ") return std::nullopt;
  const std::string_view stamp = line.substr(0, time_form.size());
  if (stamp[10] != ' ' || stamp[19] != '.' || stamp.substr(23) != "+0000") return std::nullopt;
  const auto whole = parse_time(std::string(stamp.substr(0, 10)) + "T" + std::string(stamp.substr(11, 8)) + "Z");
  unsigned milliseconds = 0;
  const auto digits = stamp.substr(20, 3);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
  if (!whole || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return Line{*whole + std::chrono::milliseconds(milliseconds), line.substr(time_form.size() + 2)};
}

struct Tail {
  std::string text;
  bool is_whole = true;
};

Tail read_tail(const std::filesystem::path& path, std::uint64_t length) {
  auto file = open_regular(path, Links::refused);
  if (!file) return {};
  const std::uint64_t offset = file->size > length ? file->size - length : 0;
  auto text = read_range(*file, offset, length);
  if (!text) return {};
  if (offset > 0) text->erase(0, text->find('\n'));  // a line that is cut could pass for another one
  return {std::move(*text), offset == 0};
}

}  // namespace

std::optional<LastStop> find_last_stop(std::string_view log) {
  bool start_failed = false;
  const auto lines = split(log, '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const auto own = parse_line(*line);
    if (!own) continue;
    if (own->text.starts_with("starting up")) {
      if (!start_failed) return LastStop{false, own->when};
      start_failed = false;
    }
    if (!own->text.starts_with("shutting down")) continue;
    if (own->text != "shutting down, reason=failed") return LastStop{own->text == "shutting down, reason=saved", own->when};
    start_failed = true;
  }
  return std::nullopt;
}

std::optional<LastStop> load_last_stop(const std::filesystem::path& logs, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.find('\0') != std::string::npos) return std::nullopt;
  std::string log;
  // virtlogd goes on with .0, logrotate with .1.
  for (const char* end : {".log", ".log.0", ".log.1"}) {
    const auto path = logs / (name + end);
    Tail tail = read_tail(path, ordinary_tail);
    if (auto found = find_last_stop(tail.text + log)) return found;
    if (!tail.is_whole) tail = read_tail(path, largest_tail);
    log.insert(0, tail.text);
    if (auto found = find_last_stop(log)) return found;
  }
  return std::nullopt;
}

}  // namespace vmpatch::inventory
