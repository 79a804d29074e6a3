#include <algorithm>
#include <array>

#include "guest/version_orders.hpp"

namespace vmpatch::guest {
namespace {

/// In the order of the grammar, which decides between versions of which one goes on otherwise: 1.0.1 > 1.0a > 1.0_p > 1.0-r1.
enum class Kind { first_number, number, letter, suffix, suffix_number, hash, release, end, invalid };

/// rc is the last before the release proper.
constexpr std::array<std::string_view, 9> suffixes{"alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"};
constexpr std::size_t first_later_suffix = 4;

class Parts {
 public:
  explicit Parts(std::string_view version) : rest_(version) { take_number(Kind::first_number); }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::size_t suffix() const { return suffix_; }
  [[nodiscard]] bool more() const { return kind_ < Kind::end; }
  [[nodiscard]] bool is_earlier_release() const { return kind_ == Kind::suffix && suffix_ < first_later_suffix; }

  void next() {
    if (rest_.empty()) {
      kind_ = Kind::end;
      return;
    }
    const char c = rest_.front();
    if (c >= '0' && c <= '9') return kind_ == Kind::suffix ? take_number(Kind::suffix_number) : stop();
    if (c >= 'a' && c <= 'z') return kind_ < Kind::letter ? take_letter() : stop();
    if (c == '.' && kind_ < Kind::letter) return skip(1), take_number(Kind::number);
    if (c == '_' && kind_ < Kind::hash) return skip(1), take_suffix();
    if (c == '~' && kind_ < Kind::hash) return skip(1), take_hash();
    if (rest_.starts_with("-r") && kind_ < Kind::release) return skip(2), take_number(Kind::release);
    stop();
  }

 private:
  void stop() { kind_ = Kind::invalid; }
  void skip(std::size_t count) { rest_.remove_prefix(count); }
  void take_letter() {
    kind_ = Kind::letter;
    text_ = rest_.substr(0, 1);
    skip(1);
  }
  void take_number(Kind kind) {
    text_ = take_digits(rest_);
    kind_ = text_.empty() ? Kind::invalid : kind;
  }
  void take_suffix() {
    const auto end = std::find_if(rest_.begin(), rest_.end(), [](char c) { return c < 'a' || c > 'z'; });
    const std::string_view word = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    const auto found = std::find(suffixes.begin(), suffixes.end(), word);
    if (found == suffixes.end()) return stop();
    kind_ = Kind::suffix;
    suffix_ = static_cast<std::size_t>(found - suffixes.begin());
    skip(word.size());
  }
  void take_hash() {
    text_ = rest_.substr(0, rest_.find_first_not_of("0123456789abcdef"));
    kind_ = text_.empty() ? Kind::invalid : Kind::hash;
    skip(text_.size());
  }

  std::string_view rest_;
  std::string_view text_;
  std::size_t suffix_ = 0;
  Kind kind_ = Kind::end;
};

int sign(std::size_t a, std::size_t b) { return a < b ? -1 : a > b ? 1 : 0; }

/// Of the same kind.
int compare_part(const Parts& a, const Parts& b) {
  switch (a.kind()) {
    case Kind::suffix: return sign(a.suffix(), b.suffix());
    case Kind::number:
      // As decimals of a fraction, which is Gentoo's rule: 1.01 < 1.1.
      if (a.text().front() == '0' || b.text().front() == '0') return a.text().compare(b.text());
      return compare_numbers(a.text(), b.text());
    case Kind::letter:
    case Kind::hash: return a.text().compare(b.text());
    default: return compare_numbers(a.text(), b.text());
  }
}

}  // namespace

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

int compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  return a.size() != b.size() ? sign(a.size(), b.size()) : a.compare(b);
}

int compare_apk_versions(std::string_view first, std::string_view second) {
  Parts a(first);
  Parts b(second);
  for (; a.kind() == b.kind() && a.more(); a.next(), b.next()) {
    if (const int order = compare_part(a, b); order != 0) return order;
  }
  if (a.is_earlier_release() != b.is_earlier_release()) return a.is_earlier_release() ? -1 : 1;
  return sign(static_cast<std::size_t>(b.kind()), static_cast<std::size_t>(a.kind()));
}

}  // namespace vmpatch::guest
