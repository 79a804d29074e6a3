#include "ledger/anchor_lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view format_name = "vm-patch/anchor/v1";
constexpr std::size_t check_digits = 16;

std::string check_of(std::string_view line) { return sha256(line).hex().substr(0, check_digits); }

using Words = std::array<std::string_view, 6>;  ///< format, chain, sequence, digest, time, check

std::optional<Words> split(std::string_view line) {
  Words words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t end = i + 1 == words.size() ? line.size() : line.find(' ');
    if (end == std::string_view::npos) return {};
    words[i] = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  if (words[0] != format_name || words[1].empty() || words[5].size() != check_digits) return {};
  return words;
}

/// Negative: it is none.
std::int64_t parse_sequence(std::string_view word) {
  std::int64_t sequence = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), sequence);
  return error == std::errc() && end == word.data() + word.size() ? sequence : -1;
}

bool is_whole(std::string_view line) {
  return line.size() > check_digits + 1 && check_of(line.substr(0, line.size() - check_digits - 1)) == line.substr(line.size() - check_digits);
}

}  // namespace

std::string format_head(const Head& head) {
  const std::string line = fmt::format("{} {} {} {} {}", format_name, head.chain, head.sequence, head.digest.hex(), format_time(head.time));
  return fmt::format("{} {}", line, check_of(line));
}

void add_heads(std::string_view text, std::vector<Head>& heads) {
  // From the end: there the highest ones are as a rule, and of the others no more than the sequence is looked at.
  while (!text.empty()) {
    const std::size_t start = text.find_last_of('\n');
    const std::string_view line = start == std::string_view::npos ? text : text.substr(start + 1);
    text = start == std::string_view::npos ? std::string_view() : text.substr(0, start);
    const auto words = split(line);
    if (!words) continue;
    const std::int64_t sequence = parse_sequence((*words)[2]);
    const auto known = std::ranges::find(heads, (*words)[1], &Head::chain);
    if (sequence < 0 || (known != heads.end() && known->sequence >= sequence) || !is_whole(line)) continue;
    const auto digest = Digest::parse((*words)[3]);
    const auto time = parse_time((*words)[4]);
    if (!digest || !time) continue;
    Head head{.chain = std::string((*words)[1]), .sequence = sequence, .digest = *digest, .time = *time};
    if (known == heads.end()) {
      heads.push_back(std::move(head));
    } else {
      *known = std::move(head);
    }
  }
}

std::vector<Head> parse_heads(std::string_view text) {
  std::vector<Head> heads;
  add_heads(text, heads);
  return heads;
}

}  // namespace vmpatch::ledger
