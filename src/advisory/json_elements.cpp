#include "advisory/json_elements.hpp"

#include <array>
#include <memory>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t chunk_size = 256U << 10U;
constexpr std::size_t most_levels = 64;
constexpr std::size_t longest_key = 4096;

class Reader {
 public:
  Reader(ByteSource& source, const JsonElements& how)
      : source_(&source), how_(how), buffer_(std::make_unique_for_overwrite<char[]>(chunk_size)), chunk_(buffer_.get()) {}
  Reader(std::string_view text, const JsonElements& how) : how_(how), chunk_(text.data()), size_(text.size()) {}

  Result<void> read_document() {
    VMPATCH_CHECK(skip_space());
    VMPATCH_CHECK(read_value(0));
    VMPATCH_CHECK(skip_space());
    if (at_end_) return {};
    return bad("has more after its end");
  }

 private:
  [[nodiscard]] std::uint64_t offset() const { return before_chunk_ + at_; }
  [[nodiscard]] Error bad(std::string_view what) const { return fail(Errc::failed, "not valid JSON at byte {}: {}", offset(), what); }

  /// Makes chunk_[at_] valid, or sets at_end_.
  Result<void> fill() {
    if (at_ < size_ || at_end_) return {};
    keep_chunk();
    before_chunk_ += size_;
    at_ = 0;
    size_ = 0;
    if (source_ != nullptr) {
      VMPATCH_TRY(size_, source_->read(buffer_.get(), chunk_size));
    }
    at_end_ = size_ == 0;
    kept_from_ = 0;
    return {};
  }

  /// Appends what the chunk holds of the value that is being collected.
  void keep_chunk() {
    if (!collecting_) return;
    if (kept_.size() + (at_ - kept_from_) > limit_) {
      overflow_ = true;
      kept_.clear();
      collecting_ = false;
      return;
    }
    kept_.append(chunk_ + kept_from_, at_ - kept_from_);
    kept_from_ = at_;
  }

  void start_collecting(std::size_t limit) {
    kept_.clear();
    kept_from_ = at_;
    limit_ = limit;
    collecting_ = true;
    overflow_ = false;
  }

  void stop_collecting() {
    keep_chunk();
    collecting_ = false;
  }

  Result<char> peek() {
    VMPATCH_CHECK(fill());
    if (at_end_) return bad("it ends in the middle");
    return chunk_[at_];
  }

  Result<void> skip_space() {
    for (;;) {
      VMPATCH_CHECK(fill());
      if (at_end_) return {};
      const char c = chunk_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return {};
      ++at_;
    }
  }

  Result<void> expect(char wanted) {
    VMPATCH_CHECK(skip_space());
    VMPATCH_TRY(const char c, peek());
    if (c != wanted) return bad(std::string("'") + wanted + "' is expected");
    ++at_;
    return {};
  }

  /// From the opening quote to behind the closing one.
  Result<void> skip_string() {
    ++at_;
    for (;;) {
      VMPATCH_CHECK(fill());
      if (at_end_) return bad("it ends in a string");
      while (at_ < size_ && chunk_[at_] != '"' && chunk_[at_] != '\\') ++at_;
      if (at_ == size_) continue;
      const bool closes = chunk_[at_++] == '"';
      if (closes) return {};
      VMPATCH_TRY(const char escaped, peek());
      static_cast<void>(escaped);
      ++at_;
    }
  }

  static bool is_structural(char c) { return c == '"' || c == '{' || c == '}' || c == '[' || c == ']'; }
  static bool ends_scalar(char c) {
    return is_structural(c) || c == ',' || c == ':' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
  }

  Result<void> skip_scalar() {
    const std::uint64_t start = offset();
    for (;;) {
      VMPATCH_CHECK(fill());
      if (at_end_ || ends_scalar(chunk_[at_])) break;
      ++at_;
    }
    if (offset() == start) return bad("a value is expected");
    return {};
  }

  /// A whole value whose insides nobody asked for: strings and the nesting of brackets are followed, nothing else.
  Result<void> skip_value(std::size_t level) {
    VMPATCH_TRY(const char first, peek());
    if (first == '"') return skip_string();
    if (first != '{' && first != '[') return skip_scalar();
    std::array<char, most_levels> open{};
    std::size_t depth = 0;
    do {
      VMPATCH_TRY(const char c, peek());
      switch (c) {
        case '"': VMPATCH_CHECK(skip_string()); continue;
        case '{':
        case '[':
          if (level + depth >= most_levels) return bad("it is nested too deep");
          open[depth++] = c == '{' ? '}' : ']';
          break;
        case '}':
        case ']':
          if (c != open[depth - 1]) return bad("brackets do not match");
          --depth;
          break;
        default:
          while (at_ < size_ && !is_structural(chunk_[at_])) ++at_;
          continue;
      }
      ++at_;
    } while (depth > 0);
    return {};
  }

  Result<std::string> read_key() {
    VMPATCH_TRY(const char c, peek());
    if (c != '"') return bad("a key is expected");
    start_collecting(longest_key);
    VMPATCH_CHECK(skip_string());
    stop_collecting();
    if (overflow_) return bad("a key is too long");
    std::string key = kept_.substr(1, kept_.size() - 2);
    if (key.find('\\') == std::string::npos) return key;
    VMPATCH_TRY(const Json decoded, parse_json(kept_, "a key"));
    return decoded.get<std::string>();
  }

  Result<void> read_element(std::size_t level) {
    if (how_.wanted && !how_.wanted(path_)) return skip_value(level);
    const std::uint64_t start = offset();
    start_collecting(how_.max_element);
    VMPATCH_CHECK(skip_value(level));
    stop_collecting();
    if (!overflow_) return how_.visit(JsonElement{path_, kept_, start});
    if (!how_.too_large) return fail(Errc::failed, "the value at byte {} is larger than {}", start, format_size(how_.max_element));
    how_.too_large(path_, start);
    return {};
  }

  Result<void> read_value(std::size_t level) {
    VMPATCH_TRY(const char first, peek());
    if (level == how_.depth) return read_element(level);
    if (first != '{' && first != '[') {
      if (how_.too_shallow) how_.too_shallow(path_);
      return skip_value(level);
    }
    const bool object = first == '{';
    const char close = object ? '}' : ']';
    ++at_;
    VMPATCH_CHECK(skip_space());
    VMPATCH_TRY(char next, peek());
    if (next == close) {
      ++at_;
      return {};
    }
    do {
      VMPATCH_CHECK(skip_space());
      std::string key;
      if (object) {
        VMPATCH_TRY(key, read_key());
        VMPATCH_CHECK(expect(':'));
        VMPATCH_CHECK(skip_space());
      }
      path_.push_back(std::move(key));
      VMPATCH_CHECK(read_value(level + 1));
      path_.pop_back();
      VMPATCH_CHECK(skip_space());
      VMPATCH_TRY(next, peek());
      if (next != ',' && next != close) return bad(object ? "',' or '}' is expected" : "',' or ']' is expected");
      ++at_;
    } while (next == ',');
    return {};
  }

  ByteSource* source_ = nullptr;
  const JsonElements& how_;
  std::unique_ptr<char[]> buffer_;
  const char* chunk_;
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  std::uint64_t before_chunk_ = 0;
  bool at_end_ = false;
  std::string kept_;
  std::size_t kept_from_ = 0;
  std::size_t limit_ = 0;
  bool collecting_ = false;
  bool overflow_ = false;
  JsonPath path_;
};

}  // namespace

Result<void> each_json_element(ByteSource& source, const JsonElements& how) {
  return Reader(source, how).read_document();
}

Result<void> each_json_element(std::string_view text, const JsonElements& how) {
  return Reader(text, how).read_document();
}

}  // namespace vmpatch::advisory
