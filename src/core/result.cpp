#include "vmpatch/core/result.hpp"

#include <cerrno>
#include <system_error>

namespace vmpatch {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::failed:
      return "failed";
    case Errc::not_found:
      return "not_found";
    case Errc::unsupported:
      return "unsupported";
    case Errc::timeout:
      return "timeout";
    case Errc::usage:
      return "usage";
    case Errc::refused:
      return "refused";
    case Errc::untrusted:
      return "untrusted";
    case Errc::busy:
      return "busy";
    case Errc::recovery_needed:
      return "recovery_needed";
  }
  return "failed";
}

int exit_code(Errc code) {
  switch (code) {
    case Errc::failed:
    case Errc::not_found:
    case Errc::unsupported:
    case Errc::timeout:
      return 1;
    case Errc::usage:
      return 2;
    case Errc::refused:
      return 4;
    case Errc::untrusted:
      return 5;
    case Errc::busy:
      return 6;
    case Errc::recovery_needed:
      return 7;
  }
  return 1;
}

Error Error::in(std::string_view context) const {
  std::string text(context);
  text += ": ";
  text += message;
  return Error{code, std::move(text)};
}

Error errno_error(int err, std::string_view what) {
  std::string text(what);
  text += ": ";
  text += std::generic_category().message(err);
  return Error{err == ENOENT ? Errc::not_found : Errc::failed, std::move(text)};
}

}  // namespace vmpatch
