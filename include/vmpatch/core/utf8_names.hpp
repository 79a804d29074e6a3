#pragma once
// libarchive converts names of pax headers, which are UTF-8, to the encoding of the thread's locale, and fails where it cannot: in the
// program's own locale, "C", at every byte above 127. Names are bytes here, so they shall come as they are.

#include <locale.h>

namespace vmpatch {

/// While it lives, this thread has UTF-8 as its encoding; nothing else of the locale changes. Without such a locale nothing happens.
class Utf8Names {
 public:
  Utf8Names();
  ~Utf8Names();
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t before_;
};

}  // namespace vmpatch
