#include "fetch/curl/options.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {
namespace {

bool is_loopback(const std::string& host) { return host == "localhost" || host == "[::1]" || host.starts_with("127."); }

Result<void> check_url(const Request& request) {
  const Url url(curl_url());
  const std::string shown = shown_url(request.url);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK) return fail(Errc::usage, "'{}' is no URL", shown);
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
    return fail(Errc::usage, "'{}': a URL must not hold a user name or password", shown);
  }
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  if (scheme == "https") return {};
  if (scheme != "http") return fail(Errc::usage, "'{}': files are fetched by https, not by {}", shown, escape_untrusted(scheme));
  const std::string host = part(url.get(), CURLUPART_HOST);
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos || !host.starts_with("127.");
  if (request.access.allow_http || (is_loopback(host) && address)) return {};
  return fail(Errc::usage, "'{}': plain http may be changed on its way; use https, or tell which digest the content has to have (#sha256=DIGEST behind a feed's URL)", shown);
}

/// libcurl's own message about a proxy that it does not understand quotes it, password and all.
Result<void> check_proxy(const std::string& proxy) {
  if (proxy.empty() || proxy == "direct") return {};
  const Url url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, proxy.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return fail(Errc::usage, "the proxy '{}' is no URL; write it as http://HOST:PORT", shown_url(proxy));
  }
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  for (const std::string_view known : {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}) {
    if (scheme == known) return {};
  }
  return fail(Errc::usage, "the proxy '{}' is none of http, https and socks", shown_url(proxy));
}

bool add_header(Headers& headers, const char* name, const std::string& value) {
  if (value.empty() || value.find_first_of("\r\n") != std::string::npos) return true;
  curl_slist* longer = curl_slist_append(headers.get(), (std::string(name) + ": " + value).c_str());
  if (longer == nullptr) return false;
  static_cast<void>(headers.release());
  headers.reset(longer);
  return true;
}

/// Not copied by libcurl, which writes through no pointer of these.
curl_blob blob_of(const std::string& text) { return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY}; }

void set_identity(Options& options, const Access& access) {
  if (!access.ca.empty()) {
    const curl_blob ca = blob_of(access.ca);
    options.set(CURLOPT_CAINFO_BLOB, &ca);
    // Else the system's authorities count, too: the blob replaces their file, not their folder.
    options.set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (access.client_certificate.empty()) return;
  const curl_blob certificate = blob_of(access.client_certificate);
  const curl_blob key = blob_of(access.client_key.empty() ? access.client_certificate : access.client_key);
  options.set(CURLOPT_SSLCERT_BLOB, &certificate);
  options.set(CURLOPT_SSLKEY_BLOB, &key);
  // Without one OpenSSL asks for a passphrase, and takes the next request for the answer.
  options.set(CURLOPT_KEYPASSWD, "");
}

void set_proxy(Options& options, const std::string& proxy) {
  if (proxy.empty()) return;
  options.set(CURLOPT_PROXY, proxy == "direct" ? "" : proxy.c_str());
  options.set(CURLOPT_NOPROXY, "");  // the environment's list does not count
}

long milliseconds(std::chrono::milliseconds time) { return static_cast<long>(std::max(time, std::chrono::milliseconds(1)).count()); }

}  // namespace

Result<void> check_addresses(const Request& request) {
  VMPATCH_CHECK(check_url(request));
  return check_proxy(request.access.proxy);
}

Result<Headers> make_headers(const Request& request) {
  Headers headers;
  bool good = true;
  if (request.offset == 0) {
    good = add_header(headers, "If-None-Match", request.etag) && add_header(headers, "If-Modified-Since", request.last_modified);
  } else {
    // RFC 9110, 13.1.5: a weak tag must not be sent.
    const bool strong = !request.etag.empty() && !request.etag.starts_with("W/");
    good = add_header(headers, "If-Range", strong ? request.etag : request.last_modified);
  }
  if (!good) return make_error(Errc::failed, "libcurl has no memory");
  return headers;
}

Result<void> set_options(CURL* easy, const Request& request, const Headers& headers) {
  const Limits& limits = request.access.limits;
  Options options(easy);
  options.set(CURLOPT_URL, request.url.c_str());
  options.set(CURLOPT_PROTOCOLS_STR, "http,https");
  options.set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  options.set(CURLOPT_FOLLOWLOCATION, request.access.redirects ? 1L : 0L);
  options.set(CURLOPT_MAXREDIRS, 5L);
  options.set(CURLOPT_NOSIGNAL, 1L);
  options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  options.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits.connect));
  options.set(CURLOPT_TIMEOUT_MS, milliseconds(limits.overall));
  options.set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(std::min<std::uint64_t>(limits.slowest, 1U << 30U)));
  options.set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.silence.count()));
  options.set(CURLOPT_USERAGENT, "vm-patch");
  options.set(CURLOPT_HTTPHEADER, headers.get());
  // Not CURLOPT_RESUME_FROM: with that a server that gives the whole file is an error.
  const std::string range = std::to_string(request.offset) + "-";
  if (request.offset > 0) options.set(CURLOPT_RANGE, range.c_str());
  set_proxy(options, request.access.proxy);
  if (const char* authorities = std::getenv("SSL_CERT_FILE"); authorities != nullptr && *authorities != '\0') {
    options.set(CURLOPT_CAINFO, authorities);
    options.set(CURLOPT_PROXY_CAINFO, authorities);
  }
  set_identity(options, request.access);
  return options.done();
}

}  // namespace vmpatch::fetch
