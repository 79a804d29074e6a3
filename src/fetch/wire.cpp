#include "fetch/wire.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::fetch {
namespace {

/// Takes what it is asked for and notes what is missing.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}
  [[nodiscard]] bool complete() const { return complete_; }

  std::string text(const char* key) { return is(key, Json::value_t::string) ? json_[key].get<std::string>() : ""; }
  bool flag(const char* key) { return is(key, Json::value_t::boolean) && json_[key].get<bool>(); }
  std::uint64_t number(const char* key) { return is(key, Json::value_t::number_unsigned) ? json_[key].get<std::uint64_t>() : 0; }
  template <class Duration>
  Duration duration(const char* key) {
    constexpr std::uint64_t longest = std::uint64_t{10} * 365 * 24 * 3600 * 1000;
    const std::uint64_t count = number(key);
    complete_ = complete_ && count <= longest;
    return Duration(static_cast<typename Duration::rep>(count));
  }

 private:
  bool is(const char* key, Json::value_t type) {
    const bool good = json_.is_object() && json_.contains(key) && json_[key].type() == type;
    complete_ = complete_ && good;
    return good;
  }

  const Json& json_;
  bool complete_ = true;
};

}  // namespace

std::string encode(const Request& request) {
  const Access& access = request.access;
  const Limits& limits = access.limits;
  return dump_json(Json{{"url", request.url}, {"proxy", access.proxy}, {"client_certificate", access.client_certificate}, {"client_key", access.client_key},
                        {"ca", access.ca}, {"redirects", access.redirects}, {"allow_http", access.allow_http},
                        {"connect_ms", static_cast<std::uint64_t>(limits.connect.count())}, {"slowest", limits.slowest},
                        {"silence_s", static_cast<std::uint64_t>(limits.silence.count())}, {"overall_ms", static_cast<std::uint64_t>(limits.overall.count())},
                        {"etag", request.etag}, {"last_modified", request.last_modified}, {"offset", request.offset}, {"max_bytes", request.max_bytes}});
}

Result<Request> decode_request(std::string_view line) {
  VMPATCH_TRY(const Json json, parse_json(line, "a request to fetch"));
  Fields fields(json);
  Request request{fields.text("url")};
  Access& access = request.access;
  access = {fields.text("proxy"), fields.text("client_certificate"), fields.text("client_key"), fields.text("ca"), fields.flag("redirects"), fields.flag("allow_http")};
  access.limits = {fields.duration<std::chrono::milliseconds>("connect_ms"), fields.number("slowest"), fields.duration<std::chrono::seconds>("silence_s"),
                   fields.duration<std::chrono::milliseconds>("overall_ms")};
  request.etag = fields.text("etag");
  request.last_modified = fields.text("last_modified");
  request.offset = fields.number("offset");
  request.max_bytes = fields.number("max_bytes");
  if (!fields.complete()) return fail(Errc::failed, "a request to fetch is incomplete");
  return request;
}

Json to_json(const Reply& reply) {
  return Json{{"unchanged", reply.unchanged}, {"etag", reply.etag}, {"last_modified", reply.last_modified}, {"offset", reply.offset}, {"size", reply.size}};
}

Result<Reply> reply_from_json(const Json& json) {
  Fields fields(json);
  Reply reply{fields.flag("unchanged"), fields.text("etag"), fields.text("last_modified"), fields.number("offset"), fields.number("size")};
  if (!fields.complete()) return fail(Errc::failed, "the reply of vm-patch-fetch is incomplete");
  return reply;
}

}  // namespace vmpatch::fetch
