#pragma once
// Downloads by vm-patch-fetch: an unprivileged, confined process that speaks to servers and has no file of ours.

#include <functional>
#include <memory>
#include <string_view>

#include "vmpatch/core/log.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/fetch/request.hpp"

namespace vmpatch::fetch {

/// Takes the next bytes; `at` is where they lie in the whole file. The first call tells where the content starts: at the offset that was
/// asked for or at 0, and each next one follows on the last. An error ends the download.
using ContentSink = std::function<Result<void>(std::uint64_t at, std::string_view bytes)>;

/// Any number of downloads, one after another, by one process that keeps its connections. Not for several threads at once.
class Session {
 public:
  /// Starts nothing yet. Progress goes to `log`, which outlives this object.
  explicit Session(Log& log);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// On success `sink` got the whole content from reply.offset on, nothing when it is unchanged. https, and http to loopback or with
  /// allow_http. With an offset: its rest, if the server has what `etag` or `last_modified` tells, else all; a server that knows no such
  /// range, or gives another one, is asked for all, once.
  /// Errors: usage (URL, proxy), failed (network, server, certificate, too large), timeout, and what `sink` returned. After each of them
  /// the session is as good as new.
  Result<Reply> fetch(const Request& request, const ContentSink& sink);

  [[nodiscard]] Log& log() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One download by a session of its own.
Result<Reply> fetch(const Request& request, const ContentSink& sink, Log& log);

/// For messages: escaped, without user, password, query and fragment, which may be secrets.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace vmpatch::fetch
