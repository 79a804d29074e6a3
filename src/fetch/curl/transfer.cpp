#include "fetch/curl/transfer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "fetch/content_range.hpp"
#include "fetch/curl/options.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

constexpr std::size_t longest_header = 1024;
/// Of an error's page, to be read and dropped, so that the connection stays of use.
constexpr std::uint64_t longest_page = std::uint64_t{64} << 10U;

/// One answer of a server.
class Transfer {
 public:
  Transfer(CURL* easy, const Request& request, const ContentSink& sink, const Progress& progress)
      : easy_(easy), request_(request), sink_(sink), progress_(progress) {}

  /// The server has no such range: it is to be asked for all.
  [[nodiscard]] bool is_out_of_range() const { return out_of_range_; }

  Result<Reply> run() {
    VMPATCH_TRY(const Headers headers, make_headers(request_));
    VMPATCH_CHECK(set_options(easy_, request_, headers));
    VMPATCH_CHECK(set_callbacks());
    const CURLcode code = curl_easy_perform(easy_);
    if (problem_) return *problem_;
    if (code != CURLE_OK && !page_too_long_) return explain(code);
    return judge();
  }

 private:
  Result<void> set_callbacks() {
    Options options(easy_);
    options.set(CURLOPT_WRITEFUNCTION, &on_body);
    options.set(CURLOPT_WRITEDATA, this);
    options.set(CURLOPT_HEADERFUNCTION, &on_header);
    options.set(CURLOPT_HEADERDATA, this);
    options.set(CURLOPT_NOPROGRESS, 0L);
    options.set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    options.set(CURLOPT_XFERINFODATA, this);
    options.set(CURLOPT_ERRORBUFFER, message_.data());
    return options.done();
  }

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
    return static_cast<Transfer*>(user)->take_body({bytes, size * count}) ? size * count : 0;
  }
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
    static_cast<Transfer*>(user)->take_header({bytes, size * count});
    return size * count;
  }
  static int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
    const auto& self = *static_cast<Transfer*>(user);
    const std::uint64_t start = self.reply_.offset;
    if (now > 0 && total >= 0) self.progress_(start + static_cast<std::uint64_t>(now), total > 0 ? start + static_cast<std::uint64_t>(total) : 0);
    return 0;
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // of a redirect's target: start anew
      reply_ = {};
      content_range_.clear();
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (value.size() > longest_header) return;
    if (curl_strequal(name.c_str(), "etag") != 0) reply_.etag = value;
    if (curl_strequal(name.c_str(), "last-modified") != 0) reply_.last_modified = value;
    if (curl_strequal(name.c_str(), "content-range") != 0) content_range_ = value;
  }

  [[nodiscard]] long status() const {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  /// False ends the transfer.
  bool take_body(std::string_view bytes) {
    if (reply_.size == 0) is_content_ = starts_well();
    if (problem_ || out_of_range_) return false;
    if (!is_content_) {
      dropped_ += bytes.size();
      page_too_long_ = dropped_ > longest_page;
      return !page_too_long_;
    }
    const std::uint64_t at = reply_.offset + reply_.size;
    if (at > request_.max_bytes || bytes.size() > request_.max_bytes - at) return give_up(too_large());
    if (auto taken = sink_(at, bytes); !taken) return give_up(taken.error());
    reply_.size += bytes.size();
    return true;
  }

  bool give_up(Error error) {
    problem_ = std::move(error);
    return false;
  }

  /// Whether what comes is content; its place is known then.
  bool starts_well() {
    reply_.offset = 0;
    const long code = status();
    if (code != 200 && (code != 206 || request_.offset == 0)) return false;
    if (code == 206) {
      range_ = parse_content_range(content_range_);
      out_of_range_ = !range_ || range_->first != request_.offset;
      if (out_of_range_) return false;
      reply_.offset = range_->first;
    }
    curl_off_t length = -1;
    curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    const std::uint64_t total = std::max(range_ ? range_->total : 0, length > 0 ? reply_.offset + static_cast<std::uint64_t>(length) : 0);
    if (total > request_.max_bytes) problem_ = too_large();
    return !problem_;
  }

  Result<Reply> judge() {
    const long code = status();
    if (reply_.size == 0) is_content_ = starts_well();
    if (problem_) return *problem_;
    if (request_.offset > 0 && code == 416) out_of_range_ = true;
    if (out_of_range_) return fail(Errc::failed, "the server gives another part than the one that was asked for");
    if (is_content_) return whole();
    if (code == 304 && request_.offset == 0) {
      reply_.unchanged = true;
      return reply_;
    }
    if (code / 100 == 3 && !request_.access.redirects) return fail(Errc::failed, "the server redirects{}; redirects are not allowed here", target());
    return fail(Errc::failed, "the server answered {}", code);
  }

  Result<Reply> whole() const {
    const bool complete = !range_ || (reply_.size == range_->last - range_->first + 1 && (range_->total == 0 || range_->last + 1 == range_->total));
    if (!complete) return fail(Errc::failed, "the server gave only a part of what was asked for");
    return reply_;
  }

  [[nodiscard]] std::string target() const {
    const char* url = nullptr;
    curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &url);
    return url != nullptr ? " to " + shown_url(url) : "";
  }

  [[nodiscard]] Error too_large() const { return fail(Errc::failed, "it is larger than {}", format_size(request_.max_bytes)); }

  [[nodiscard]] Error explain(CURLcode code) const {
    if (code == CURLE_UNSUPPORTED_PROTOCOL && status() / 100 == 3) return fail(Errc::failed, "the server redirects to something else than https");
    if (code == CURLE_TOO_MANY_REDIRECTS) return fail(Errc::failed, "the server redirects more than five times");
    const std::string_view words = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
    // It quotes the proxy of the environment, which may hold a password.
    if (words.starts_with("Unsupported proxy")) return fail(Errc::failed, "the proxy that the environment names is no URL, or of a kind that libcurl does not know");
    return make_error(code == CURLE_OPERATION_TIMEDOUT ? Errc::timeout : Errc::failed, escape_untrusted(words));
  }

  CURL* easy_;
  const Request& request_;
  const ContentSink& sink_;
  const Progress& progress_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::string content_range_;
  std::optional<ContentRange> range_;
  Reply reply_;
  bool is_content_ = false;
  bool out_of_range_ = false;
  std::uint64_t dropped_ = 0;
  bool page_too_long_ = false;
  std::optional<Error> problem_;
};

}  // namespace

Result<Transfers> Transfers::make() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return fail(Errc::failed, "libcurl does not start");
  Easy easy(curl_easy_init());
  if (!easy) return fail(Errc::failed, "libcurl has no memory");
  return Transfers(std::move(easy));
}

Result<Reply> Transfers::run(Request request, const ContentSink& sink, const Progress& progress) {
  VMPATCH_CHECK(check_addresses(request));
  const auto start = std::chrono::steady_clock::now();
  const auto once = [&](bool& out_of_range) {
    Transfer transfer(easy_.get(), request, sink, progress);
    auto reply = transfer.run();
    out_of_range = transfer.is_out_of_range();
    curl_easy_reset(easy_.get());  // connections stay
    return reply;
  };
  bool out_of_range = false;
  auto reply = once(out_of_range);
  if (!out_of_range) return reply;
  request.offset = 0;
  request.etag.clear();
  request.last_modified.clear();
  request.access.limits.overall -= std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  return once(out_of_range);
}

}  // namespace vmpatch::fetch
