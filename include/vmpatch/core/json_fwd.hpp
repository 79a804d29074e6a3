#pragma once
// The name of the JSON type, for headers that only pass it on: the library's own header takes two seconds to compile.

#include <nlohmann/json_fwd.hpp>

namespace vmpatch {

using Json = nlohmann::ordered_json;

}  // namespace vmpatch
