#pragma once
// Errors as values. Every function that can fail returns Result<T>; ignoring one does not compile without a warning.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace vmpatch {

/// Groups failures by what the caller does about them. exit_code() is the one table to process exit codes.
enum class Errc {
  failed,           ///< it was tried and did not work (I/O, a child process, a broken guest)
  not_found,        ///< the named thing does not exist
  unsupported,      ///< this adapter cannot do it; another one may
  timeout,          ///< a limit in time was reached
  usage,            ///< the command line or the configuration is wrong
  refused,          ///< policy or state forbids it; nothing was touched
  untrusted,        ///< a signature, digest or signed document does not hold
  busy,             ///< somebody else holds it
  recovery_needed,  ///< an interrupted run must be recovered first
};

/// Stable name of a code for JSON and the ledger, e.g. "refused".
std::string_view to_string(Errc code);

/// Process exit code: 1 failed, 2 usage, 4 refused, 5 untrusted, 6 busy, 7 recovery needed.
int exit_code(Errc code);

/// What was tried on what, what went wrong, what to do. `message` is one line without a final stop, already
/// escaped for a terminal where it quotes guest-controlled text.
struct Error {
  Errc code = Errc::failed;
  std::string message;

  /// "context: message", same code.
  [[nodiscard]] Error in(std::string_view context) const;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result(Error error) : Base(tl::unexpect, std::move(error)) {}  // NOLINT(google-explicit-constructor)
};

/// fail(Errc::refused, "machine {} is running", name) is in format.hpp; this is the plain one.
inline Error make_error(Errc code, std::string message) { return Error{code, std::move(message)}; }

/// Error{failed, "what: strerror(err)"}; ENOENT gives not_found.
Error errno_error(int err, std::string_view what);

}  // namespace vmpatch

#define VMPATCH_CONCAT_(a, b) a##b
#define VMPATCH_CONCAT(a, b) VMPATCH_CONCAT_(a, b)

/// VMPATCH_TRY(auto x, f()): on failure return the error from the enclosing function, else bind the value.
#define VMPATCH_TRY(lhs, expr)                                                                             \
  auto VMPATCH_CONCAT(try_, __LINE__) = (expr);                                                            \
  if (!VMPATCH_CONCAT(try_, __LINE__)) return ::vmpatch::Error(std::move(VMPATCH_CONCAT(try_, __LINE__)).error()); \
  lhs = std::move(*VMPATCH_CONCAT(try_, __LINE__))

/// VMPATCH_CHECK(f()): on failure return the error; for Result<void>, and for one that is used later.
#define VMPATCH_CHECK(expr)                                                                                \
  if (auto&& VMPATCH_CONCAT(check_, __LINE__) = (expr); !VMPATCH_CONCAT(check_, __LINE__))                 \
  return ::vmpatch::Error(std::move(VMPATCH_CONCAT(check_, __LINE__)).error())
