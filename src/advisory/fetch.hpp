#pragma once
// The parent's side of vm-patch-fetch.

#include "advisory/curl/transfer.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::advisory {

/// Runs vm-patch-fetch as the unprivileged account, its content going to `fd`; progress lines go to the log.
Result<TransferReply> fetch(const TransferRequest& request, int fd, Log& log);

}  // namespace vmpatch::advisory
