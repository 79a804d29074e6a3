#include "vmpatch/fetch/session.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "fetch/program.hpp"
#include "fetch/wire.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

using SteadyTime = Program::SteadyTime;
using Numbers = std::array<std::uint64_t, 2>;

/// The program ends what takes too long by itself; this is for one that does not.
constexpr std::chrono::seconds grace{30};
constexpr std::chrono::seconds between_progress{1};

/// Of "data 12 34" those after the word.
std::optional<Numbers> numbers_of(std::string_view line) {
  const auto words = split(line, ' ');
  Numbers numbers{};
  if (words.size() != numbers.size() + 1) return std::nullopt;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::string_view word = words[i + 1];
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), numbers[i]);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  }
  return numbers;
}

/// Keeps the content in order and in bounds, whatever the program says of it.
class Content {
 public:
  Content(const Request& request, const ContentSink& sink) : request_(request), sink_(sink) {}

  Result<void> take(std::uint64_t at, std::string_view bytes) {
    const bool follows = size_ == 0 ? at == 0 || at == request_.offset : at == start_ + size_;
    if (!follows) return fail(Errc::failed, "vm-patch-fetch gives bytes from {} that nobody asked for", at);
    if (at > request_.max_bytes || bytes.size() > request_.max_bytes - at) return fail(Errc::failed, "it is larger than {}", format_size(request_.max_bytes));
    if (size_ == 0) start_ = at;
    size_ += bytes.size();
    return sink_(at, bytes);
  }

  [[nodiscard]] Result<void> check(const Reply& reply) const {
    if (size_ != reply.size || (reply.unchanged && size_ > 0)) return fail(Errc::failed, "vm-patch-fetch gave {} bytes and tells of {}", size_, reply.size);
    const bool starts = size_ == 0 ? reply.offset == 0 || reply.offset == request_.offset : reply.offset == start_;
    if (!starts) return fail(Errc::failed, "vm-patch-fetch gave bytes from {} and tells of {}", start_, reply.offset);
    return {};
  }

 private:
  const Request& request_;
  const ContentSink& sink_;
  std::uint64_t start_ = 0;
  std::uint64_t size_ = 0;
};

/// What the program says to one request. It may be shaped by the server.
class Answer {
 public:
  Answer(Program& program, const Request& request, const ContentSink& sink, Log& log, SteadyTime deadline)
      : program_(program), content_(request, sink), shown_(shown_url(request.url)), log_(log), deadline_(deadline) {}

  /// The program is ready for the next request.
  [[nodiscard]] bool is_complete() const { return complete_; }

  Result<Reply> hear() {
    for (;;) {
      VMPATCH_TRY(const std::string line, program_.hear_line(deadline_));
      if (line.starts_with("data ")) {
        VMPATCH_CHECK(take_data(line));
      } else if (line.starts_with("progress ")) {
        tell_progress(line);
      } else if (line.starts_with("result ")) {
        return take_result(line);
      } else if (line.starts_with("error ")) {
        return take_error(line);
      } else {
        program_.note(line);
      }
    }
  }

 private:
  Result<void> take_data(const std::string& line) {
    const auto numbers = numbers_of(line);
    if (!numbers || (*numbers)[1] > largest_piece) return fail(Errc::failed, "vm-patch-fetch gives content without measure");
    auto [at, left] = *numbers;
    while (left > 0) {
      VMPATCH_TRY(const std::string_view bytes, program_.hear_bytes(left, deadline_));
      VMPATCH_CHECK(content_.take(at, bytes));
      at += bytes.size();
      left -= bytes.size();
    }
    return {};
  }

  void tell_progress(const std::string& line) {
    const auto now = std::chrono::steady_clock::now();
    const auto numbers = numbers_of(line);
    if (!numbers || (told_ && now - *told_ < between_progress)) return;
    told_ = now;
    const auto [done, total] = *numbers;
    log_.info("{}: {}{}", shown_, format_size(done), total > 0 ? " of " + format_size(total) : "");
  }

  Result<Reply> take_result(const std::string& line) {
    VMPATCH_TRY(const Json json, parse_json(std::string_view(line).substr(7), "the reply of vm-patch-fetch"));
    VMPATCH_TRY(Reply reply, reply_from_json(json));
    VMPATCH_CHECK(content_.check(reply));
    complete_ = true;
    return reply;
  }

  Result<Reply> take_error(const std::string& line) {
    for (const Errc code : {Errc::usage, Errc::failed, Errc::timeout}) {
      const std::string start = fmt::format("error {} ", to_string(code));
      if (!line.starts_with(start)) continue;
      complete_ = true;
      return make_error(code, ensure_escaped(std::string_view(line).substr(start.size())));
    }
    return fail(Errc::failed, "vm-patch-fetch says: {}", ensure_escaped(line));
  }

  Program& program_;
  Content content_;
  std::string shown_;
  Log& log_;
  SteadyTime deadline_;
  std::optional<SteadyTime> told_;
  bool complete_ = false;
};

}  // namespace

struct Session::State {
  explicit State(Log& its_log) : log(its_log) {}
  Log& log;
  std::optional<Program> program;
};

Session::Session(Log& log) : state_(std::make_unique<State>(log)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Log& Session::log() const { return state_->log; }

Result<Reply> Session::fetch(const Request& request, const ContentSink& sink) {
  auto& program = state_->program;
  const std::string line = encode(request);
  if (line.size() > longest_request) return fail(Errc::usage, "certificates of {} are too large", format_size(line.size()));
  if (program && !program->is_idle()) program.reset();
  if (!program) {
    VMPATCH_TRY(program, Program::start());
  }
  const SteadyTime deadline = std::chrono::steady_clock::now() + request.access.limits.overall + grace;
  Answer answer(*program, request, sink, state_->log, deadline);
  const auto asked = program->ask(line, deadline);
  Result<Reply> reply = asked ? answer.hear() : Result<Reply>(asked.error());
  // What it still says belongs to this request and would be taken for the next one's.
  if (!answer.is_complete()) program.reset();
  return reply;
}

Result<Reply> fetch(const Request& request, const ContentSink& sink, Log& log) { return Session(log).fetch(request, sink); }

}  // namespace vmpatch::fetch
