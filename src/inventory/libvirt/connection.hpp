#pragma once
// One libvirt connection whose calls cannot hang us: they run on a thread of their own, which is left behind when the
// host stays silent. Nothing that such a thread uses belongs to the caller.

#include <libvirt/libvirt.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/side_by_side.hpp"

namespace vmpatch::inventory::libvirt {

template <auto Fn>
struct Free {
  template <class T>
  void operator()(T* handle) const { Fn(handle); }
};
using ConnectPtr = std::unique_ptr<virConnect, Free<virConnectClose>>;
using DomainPtr = std::unique_ptr<virDomain, Free<virDomainFree>>;
using PoolPtr = std::unique_ptr<virStoragePool, Free<virStoragePoolFree>>;
using VolumePtr = std::unique_ptr<virStorageVol, Free<virStorageVolFree>>;

/// Errc::failed with libvirt's last message of this thread; "no such …" is not_found, "not supported" is unsupported.
Error last_error(std::string_view what);

/// Takes over a string that libvirt allocated; null gives an empty one.
std::string take_string(char* text);

/// Moves the handles out of an array that libvirt allocated.
template <class Ptr, class Handle>
std::vector<Ptr> take_handles(Handle** handles, int count) {
  std::vector<Ptr> taken;
  for (int i = 0; i < count; ++i) taken.emplace_back(handles[i]);
  std::free(handles);  // NOLINT(cppcoreguidelines-no-malloc): libvirt allocates with malloc
  return taken;
}

/// The pulse of one bounded call: every answer of the host is a sign of life.
class Pulse {
 public:
  void beat();
  void finish();
  /// False when there was no beat for `limit` and the call has not finished.
  bool wait(std::chrono::seconds limit);
  /// Directly before an effect: false = the caller has given up and believes that nothing was done, so nothing may be done any more.
  [[nodiscard]] bool may_act();
  /// Whether it may be, or may still be, that something was done.
  [[nodiscard]] bool has_acted();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool finished_ = false;
  bool given_up_ = false;
  bool acted_ = false;
};

/// Runs `call` on a thread; Errc::timeout when it shows no sign of life for `limit`, or `given_up` where it has not come to Pulse::may_act() yet, and
/// never will. The call must own all that it uses.
template <class T>
Result<T> run_bounded(std::chrono::seconds limit, const std::string& what, std::function<Result<T>(Pulse&)> call, Errc given_up = Errc::timeout) {
  struct Shared {
    Pulse pulse;
    std::optional<Result<T>> result;
  };
  auto shared = std::make_shared<Shared>();
  VMPATCH_CHECK(attempt(what, [&]() -> Result<void> {
    std::thread([shared, what, call = std::move(call)] {
      shared->result = attempt(what, [&] { return call(shared->pulse); });
      shared->pulse.finish();
    }).detach();
    return {};
  }));
  if (shared->pulse.wait(limit)) return std::move(*shared->result);
  if (!shared->pulse.has_acted() && given_up != Errc::timeout) return make_error(given_up, what + ": no answer for " + std::to_string(limit.count()) + " s, and nothing was changed; check that the host is up");
  return make_error(Errc::timeout, what + ": no answer for " + std::to_string(limit.count()) + " s; check that the host is up");
}

/// Read-only where the driver allows it. Silences libvirt's own printing.
Result<ConnectPtr> open_connection(const std::string& uri);
/// To change something: no driver is asked read-only.
Result<ConnectPtr> open_writable_connection(const std::string& uri);

/// True for a URI without a host name, or with this computer's.
bool is_local_uri(const std::string& uri);

}  // namespace vmpatch::inventory::libvirt
