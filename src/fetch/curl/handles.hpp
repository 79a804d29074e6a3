#pragma once
// Owners of what libcurl hands out.

#include <curl/curl.h>

#include <memory>
#include <string>

namespace vmpatch::fetch {

template <auto free>
struct Free {
  template <class Value>
  void operator()(Value* value) const { free(value); }
};
using Url = std::unique_ptr<CURLU, Free<curl_url_cleanup>>;
using Easy = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using Headers = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;

/// "" where the URL has no such part.
inline std::string part(CURLU* url, CURLUPart which) {
  char* raw = nullptr;
  if (curl_url_get(url, which, &raw, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, Free<curl_free>> owned(raw);
  return raw;
}

}  // namespace vmpatch::fetch
