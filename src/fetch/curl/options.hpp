#pragma once
// A request in libcurl's words.

#include "fetch/curl/handles.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/fetch/request.hpp"

namespace vmpatch::fetch {

/// Errc::usage: a URL or proxy that is none, holds a user name or password where that is not allowed, or is not safe enough.
Result<void> check_addresses(const Request& request);

/// If-None-Match and its like; Errc::failed without memory.
Result<Headers> make_headers(const Request& request);

/// Everything but the callbacks. `request` and `headers` outlive the transfer. Errc::failed: this libcurl lacks an option.
Result<void> set_options(CURL* easy, const Request& request, const Headers& headers);

/// Every option must take effect: a limit that this libcurl does not know is no limit.
class Options {
 public:
  explicit Options(CURL* easy) : easy_(easy) {}
  template <class Value>
  void set(CURLoption option, Value value) { good_ = good_ && curl_easy_setopt(easy_, option, value) == CURLE_OK; }
  [[nodiscard]] Result<void> done() const {
    if (good_) return {};
    return make_error(Errc::failed, "this libcurl lacks an option that is needed");
  }

 private:
  CURL* easy_;
  bool good_ = true;
};

}  // namespace vmpatch::fetch
