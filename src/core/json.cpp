#include "vmpatch/core/json.hpp"

namespace vmpatch {
namespace {

constexpr int max_depth = 64;

/// Thrown out of the parser's callback, the only way to stop it early.
struct TooDeep {};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name) {
  const auto watch = [](int depth, Json::parse_event_t event, const Json&) {
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= max_depth) throw TooDeep{};
    return true;
  };
  // The library's own messages quote the input; these do not.
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const TooDeep&) {
    return fail(Errc::failed, "{}: JSON is nested deeper than {} levels", name, max_depth);
  } catch (const Json::parse_error& error) {
    return fail(Errc::failed, "{}: not valid JSON at byte {}", name, error.byte);
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "{}: not valid JSON: a value is out of range (error {})", name, error.id);
  }
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace vmpatch
