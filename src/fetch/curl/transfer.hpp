#pragma once
// One download, through libcurl. Used by vm-patch-fetch alone: the process that speaks to servers has no other rights.

#include <functional>
#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::fetch {

struct TransferRequest {
  std::string url;
  std::string etag;           ///< of the copy that is there; "" = none
  std::string last_modified;  ///< likewise
  bool allow_http = false;    ///< plain http to other machines too: the content's digest is known
  std::uint64_t max_bytes = std::uint64_t{2} << 30U;
  long timeout = 600;         ///< seconds
};

struct TransferReply {
  bool unchanged = false;  ///< 304: nothing was written
  std::string etag, last_modified;
  std::uint64_t size = 0;
};

/// Bytes so far, and in all (0 = not told by the server).
using TransferProgress = std::function<void(std::uint64_t, std::uint64_t)>;

/// Writes the body to `fd`. https only, http to loopback or with allow_http; at most five redirects, all to https; proxies as
/// the environment says; ended below 1 KiB/s for a minute. Errors: usage (the URL), failed (network, server, too large).
Result<TransferReply> transfer(const TransferRequest& request, int fd, const TransferProgress& progress);

Json to_json(const TransferRequest& request);
Result<TransferRequest> transfer_request_from_json(const Json& json);
Json to_json(const TransferReply& reply);
Result<TransferReply> transfer_reply_from_json(const Json& json);

}  // namespace vmpatch::fetch
