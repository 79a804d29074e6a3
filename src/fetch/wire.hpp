#pragma once
// Between vm-patch and vm-patch-fetch, over one socket. A request is a line of JSON. An answer is lines: "data AT BYTES" with that many
// bytes after it, "progress BYTES TOTAL", and at its end "result JSON" or "error CODE MESSAGE".

#include <string>
#include <string_view>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/fetch/request.hpp"

namespace vmpatch::fetch {

constexpr std::size_t longest_request = std::size_t{8} << 20U;  // authorities in PEM
constexpr std::size_t longest_line = std::size_t{64} << 10U;    // of an answer
constexpr std::uint64_t largest_piece = std::uint64_t{1} << 20U;

std::string encode(const Request& request);
Result<Request> decode_request(std::string_view line);
Json to_json(const Reply& reply);
Result<Reply> reply_from_json(const Json& json);

}  // namespace vmpatch::fetch
