#include "advisory/epss.hpp"

#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "advisory/json_view.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t chunk_size = 256U << 10U;
constexpr std::size_t longest_line = 4096;

std::optional<double> probability(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) return std::nullopt;
  return value;
}

class Lines {
 public:
  explicit Lines(Intake& intake) : intake_(intake) {}

  Result<void> take(std::string_view line) {
    ++number_;
    line = trim(line);
    if (line.empty()) return {};
    if (line.starts_with('#')) {
      const auto at = line.find("score_date:");
      if (at != std::string_view::npos) {
        const auto date = line.substr(at + 11);
        intake_.state.issued = feed_time(date.substr(0, date.find(',')));
      }
      return {};
    }
    if (!header_) {
      if (line != "cve,epss,percentile") return fail(Errc::failed, "line {}: \"cve,epss,percentile\" is expected: this is no EPSS feed", number_);
      header_ = true;
      return {};
    }
    read_score(line);
    return {};
  }
  [[nodiscard]] bool complete() const { return header_; }

 private:
  void read_score(std::string_view line) {
    ++intake_.state.records;
    const auto fields = split(line, ',');
    const auto where = [&] { return fmt::format("line {}", number_); };
    if (fields.size() != 3 || !is_cve(fields[0])) return intake_.skip(where(), "is not CVE,SCORE,PERCENTILE");
    Advisory* advisory = intake_.store.known(fields[0]);
    if (advisory == nullptr) return;
    const auto score = probability(fields[1]);
    const auto percentile = probability(fields[2]);
    if (!score || !percentile) return intake_.skip(where(), "has no score from 0 to 1");
    ++intake_.state.relevant;
    advisory->epss = score;
    advisory->epss_percentile = percentile;
  }

  Intake& intake_;
  std::uint64_t number_ = 0;
  bool header_ = false;
};

}  // namespace

Result<void> load_epss(ByteSource& source, Intake& intake) {
  Lines lines(intake);
  const auto chunk = std::make_unique<char[]>(chunk_size);
  std::string rest;
  for (;;) {
    VMPATCH_TRY(const std::size_t size, source.read(chunk.get(), chunk_size));
    if (size == 0) break;
    std::string_view text(chunk.get(), size);
    for (auto newline = text.find('\n'); newline != std::string_view::npos; newline = text.find('\n')) {
      rest += text.substr(0, newline);
      VMPATCH_CHECK(lines.take(rest));
      rest.clear();
      text.remove_prefix(newline + 1);
    }
    rest += text;
    if (rest.size() > longest_line) return fail(Errc::failed, "a line is longer than {} bytes: this is no EPSS feed", longest_line);
  }
  VMPATCH_CHECK(lines.take(rest));
  if (!lines.complete()) return fail(Errc::failed, "no line \"cve,epss,percentile\": this is no EPSS feed");
  return {};
}

}  // namespace vmpatch::advisory
