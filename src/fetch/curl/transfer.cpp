#include "fetch/curl/transfer.hpp"

#include <curl/curl.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

constexpr std::size_t longest_header = 1024;

template <auto free>
struct Free {
  template <class Value>
  void operator()(Value* value) const { free(value); }
};
using Url = std::unique_ptr<CURLU, Free<curl_url_cleanup>>;
using Easy = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using Headers = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;

std::string part(CURLU* url, CURLUPart which) {
  char* raw = nullptr;
  if (curl_url_get(url, which, &raw, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, Free<curl_free>> owned(raw);
  return raw;
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "[::1]" || host.starts_with("127."); }

Result<void> check_url(const TransferRequest& request) {
  const Url url(curl_url());
  const std::string shown = escape_untrusted(request.url);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK) return fail(Errc::usage, "'{}' is no URL", shown);
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
    return fail(Errc::usage, "a feed's URL must not hold a user name or password");
  }
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  if (scheme == "https") return {};
  if (scheme != "http") return fail(Errc::usage, "'{}': feeds are fetched by https, not by {}", shown, escape_untrusted(scheme));
  const std::string host = part(url.get(), CURLUPART_HOST);
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos || !host.starts_with("127.");
  if (request.allow_http || (is_loopback(host) && address)) return {};
  return fail(Errc::usage, "'{}': plain http may be changed on its way; use https, or add #sha256=DIGEST", shown);
}

struct State {
  int fd = -1;
  std::uint64_t max_bytes = 0;
  std::uint64_t written = 0;
  std::uint64_t reported = 0;
  bool too_large = false;
  std::string problem;
  TransferReply reply;
  const TransferProgress* progress = nullptr;
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& state = *static_cast<State*>(user);
  const std::size_t length = size * count;
  state.too_large = state.written + length > state.max_bytes;
  if (state.too_large) return 0;
  if (const auto done = write_all(state.fd, {bytes, length}); !done) {
    state.problem = done.error().message;
    return 0;
  }
  state.written += length;
  return length;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& reply = static_cast<State*>(user)->reply;
  const std::size_t length = size * count;
  const std::string_view line(bytes, length);
  if (line.starts_with("HTTP/")) {  // of a redirect's target: start anew
    reply.etag.clear();
    reply.last_modified.clear();
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return length;
  const std::string name(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (value.size() > longest_header) return length;
  if (curl_strequal(name.c_str(), "etag") != 0) reply.etag = value;
  if (curl_strequal(name.c_str(), "last-modified") != 0) reply.last_modified = value;
  return length;
}

int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto& state = *static_cast<State*>(user);
  if (now >= 0 && total >= 0) (*state.progress)(static_cast<std::uint64_t>(now), static_cast<std::uint64_t>(total));
  return 0;
}

bool add_header(Headers& headers, const char* name, const std::string& value) {
  if (value.empty() || value.find_first_of("\r\n") != std::string::npos) return true;
  curl_slist* longer = curl_slist_append(headers.get(), (std::string(name) + ": " + value).c_str());
  if (longer == nullptr) return false;
  static_cast<void>(headers.release());
  headers.reset(longer);
  return true;
}

/// Every option must take effect: a limit that this libcurl does not know is no limit.
class Options {
 public:
  explicit Options(CURL* easy) : easy_(easy) {}
  template <class Value>
  void set(CURLoption option, Value value) { good_ = good_ && curl_easy_setopt(easy_, option, value) == CURLE_OK; }
  [[nodiscard]] bool good() const { return good_; }

 private:
  CURL* easy_;
  bool good_ = true;
};

bool configure(CURL* easy, const TransferRequest& request, const Headers& headers, State& state, char* problem) {
  Options options(easy);
  options.set(CURLOPT_URL, request.url.c_str());
  options.set(CURLOPT_PROTOCOLS_STR, "http,https");
  options.set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  options.set(CURLOPT_FOLLOWLOCATION, 1L);
  options.set(CURLOPT_MAXREDIRS, 5L);
  options.set(CURLOPT_NOSIGNAL, 1L);
  options.set(CURLOPT_FAILONERROR, 1L);
  options.set(CURLOPT_CONNECTTIMEOUT, 30L);
  options.set(CURLOPT_TIMEOUT, request.timeout);
  options.set(CURLOPT_LOW_SPEED_LIMIT, 1024L);
  options.set(CURLOPT_LOW_SPEED_TIME, 60L);
  options.set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.max_bytes));
  options.set(CURLOPT_USERAGENT, "vm-patch");
  options.set(CURLOPT_HTTPHEADER, headers.get());
  options.set(CURLOPT_WRITEFUNCTION, &on_body);
  options.set(CURLOPT_WRITEDATA, &state);
  options.set(CURLOPT_HEADERFUNCTION, &on_header);
  options.set(CURLOPT_HEADERDATA, &state);
  options.set(CURLOPT_NOPROGRESS, 0L);
  options.set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  options.set(CURLOPT_XFERINFODATA, &state);
  options.set(CURLOPT_ERRORBUFFER, problem);
  if (const char* authorities = std::getenv("SSL_CERT_FILE"); authorities != nullptr && *authorities != '\0') {
    options.set(CURLOPT_CAINFO, authorities);
  }
  return options.good();
}

Error explain(CURL* easy, CURLcode code, const State& state, const TransferRequest& request, const char* problem) {
  if (!state.problem.empty()) return fail(Errc::failed, "cannot store it: {}", state.problem);
  if (state.too_large || code == CURLE_FILESIZE_EXCEEDED) return fail(Errc::failed, "it is larger than {}", format_size(request.max_bytes));
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_HTTP_RETURNED_ERROR) return fail(Errc::failed, "the server answered {}", status);
  if (code == CURLE_UNSUPPORTED_PROTOCOL && status / 100 == 3) return fail(Errc::failed, "the server redirects to something else than https");
  if (code == CURLE_TOO_MANY_REDIRECTS) return fail(Errc::failed, "the server redirects more than five times");
  return fail(Errc::failed, "{}", escape_untrusted(*problem != '\0' ? problem : curl_easy_strerror(code)));
}

}  // namespace

Result<TransferReply> transfer(const TransferRequest& request, int fd, const TransferProgress& progress) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return fail(Errc::failed, "libcurl does not start");
  VMPATCH_CHECK(check_url(request));
  const Easy easy(curl_easy_init());
  Headers headers;
  if (!easy || !add_header(headers, "If-None-Match", request.etag) || !add_header(headers, "If-Modified-Since", request.last_modified)) {
    return fail(Errc::failed, "libcurl has no memory");
  }
  State state;
  state.fd = fd;
  state.max_bytes = request.max_bytes;
  state.progress = &progress;
  std::array<char, CURL_ERROR_SIZE> problem{};
  if (!configure(easy.get(), request, headers, state, problem.data())) return fail(Errc::failed, "this libcurl lacks an option that is needed");
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) return explain(easy.get(), code, state, request, problem.data());
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 304) return fail(Errc::failed, "the server answered {}", status);
  state.reply.unchanged = status == 304;
  state.reply.size = state.written;
  return state.reply;
}

}  // namespace vmpatch::fetch
