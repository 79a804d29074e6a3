#include "fetch/curl/transfer.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::fetch {
namespace {

std::string text(const Json& json, const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : ""; }

}  // namespace

Json to_json(const TransferRequest& request) {
  return Json{{"url", request.url}, {"etag", request.etag}, {"last_modified", request.last_modified}, {"allow_http", request.allow_http},
              {"max_bytes", request.max_bytes}, {"timeout", request.timeout}};
}

Result<TransferRequest> transfer_request_from_json(const Json& json) {
  const bool complete = json.is_object() && json.contains("allow_http") && json["allow_http"].is_boolean() && json.contains("max_bytes") &&
                        json["max_bytes"].is_number_unsigned() && json.contains("timeout") && json["timeout"].is_number_integer();
  if (!complete) return fail(Errc::failed, "a request to fetch is incomplete");
  return TransferRequest{text(json, "url"), text(json, "etag"), text(json, "last_modified"), json["allow_http"].get<bool>(),
                         json["max_bytes"].get<std::uint64_t>(), json["timeout"].get<long>()};
}

Json to_json(const TransferReply& reply) {
  return Json{{"unchanged", reply.unchanged}, {"etag", reply.etag}, {"last_modified", reply.last_modified}, {"size", reply.size}};
}

Result<TransferReply> transfer_reply_from_json(const Json& json) {
  const bool complete = json.is_object() && json.contains("unchanged") && json["unchanged"].is_boolean() && json.contains("size") &&
                        json["size"].is_number_unsigned();
  if (!complete) return fail(Errc::failed, "the reply of vm-patch-fetch is incomplete");
  return TransferReply{json["unchanged"].get<bool>(), text(json, "etag"), text(json, "last_modified"), json["size"].get<std::uint64_t>()};
}

}  // namespace vmpatch::fetch
