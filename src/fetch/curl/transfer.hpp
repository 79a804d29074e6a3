#pragma once
// Downloads through libcurl. Used by vm-patch-fetch alone: the process that speaks to servers has no other rights.

#include <functional>

#include "fetch/curl/handles.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {

/// Bytes of the file so far, and in all (0 = not told by the server).
using Progress = std::function<void(std::uint64_t, std::uint64_t)>;

/// Transfers one after another, by the same connections where that is possible.
class Transfers {
 public:
  static Result<Transfers> make();
  /// As Session::fetch() promises.
  Result<Reply> run(Request request, const ContentSink& sink, const Progress& progress);

 private:
  explicit Transfers(Easy easy) : easy_(std::move(easy)) {}
  Easy easy_;
};

}  // namespace vmpatch::fetch
