#pragma once
// The parent's side of vm-patch-fetch.

#include <functional>
#include <string_view>

#include "fetch/curl/transfer.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::fetch {

/// Takes the next bytes; an error ends the download.
using ContentSink = std::function<Result<void>(std::string_view)>;

/// Runs vm-patch-fetch as the unprivileged account; progress lines go to the log. The program has a pipe and no file: what
/// `sink` got is out of its reach. On success that was the whole content, at most request.max_bytes.
Result<TransferReply> fetch(const TransferRequest& request, const ContentSink& sink, Log& log);

}  // namespace vmpatch::fetch
