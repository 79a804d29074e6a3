#include "repository/apt/errors.hpp"

#include <apt-pkg/error.h>

#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::size_t enough = 5;

std::string pending() {
  std::string all;
  for (std::size_t count = 0; !_error->empty(GlobalError::WARNING); ++count) {
    std::string message;
    _error->PopMessage(message);
    if (count < enough) all += (all.empty() ? "" : "; ") + escape_untrusted(message);
    if (count == enough) all += "; and more";
  }
  return all;
}

}  // namespace

Error complaint(std::string_view doing) {
  const std::string why = pending();
  return fail(Errc::failed, "{}: {}", doing, why.empty() ? "libapt-pkg does not say why" : why);
}

Result<void> no_complaints(std::string_view doing) {
  if (_error->empty(GlobalError::WARNING)) {
    _error->Discard();
    return {};
  }
  return complaint(doing);
}

}  // namespace vmpatch::repository::apt
