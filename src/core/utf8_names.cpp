#include "vmpatch/core/utf8_names.hpp"

namespace vmpatch {
namespace {

locale_t utf8_locale() {
  static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return made;
}

}  // namespace

Utf8Names::Utf8Names() : before_(utf8_locale() != nullptr ? ::uselocale(utf8_locale()) : nullptr) {}

Utf8Names::~Utf8Names() {
  if (before_ != nullptr) ::uselocale(before_);
}

}  // namespace vmpatch
