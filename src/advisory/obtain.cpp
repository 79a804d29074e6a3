#include "vmpatch/advisory/obtain.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {

Result<FeedFile> obtain(const std::string& location, const ObtainOptions&, const Clock&, Log&) {
  return fail(Errc::unsupported, "{}: feeds cannot be obtained", escape_untrusted(location));
}

}  // namespace vmpatch::advisory
