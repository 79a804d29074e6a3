#include "inventory/libvirt/connection.hpp"

#include <libvirt/virterror.h>

#include <cstdlib>

#include "inventory/xml/silence.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

void print_nothing(void*, virErrorPtr) {}

Errc code_of(const virError& error) {
  switch (error.code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_STORAGE_POOL:
    case VIR_ERR_NO_STORAGE_VOL: return Errc::not_found;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_INVALID_ARG: return Errc::unsupported;
    default: return Errc::failed;
  }
}

// The embedded driver refuses to start without an event loop, and it lives in this process.
void run_event_loop_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (virEventRegisterDefaultImpl() != 0) return;
    std::thread([] {
      while (virEventRunDefaultImpl() == 0) {
      }
    }).detach();
  });
}

}  // namespace

Error last_error(std::string_view what) {
  const virError* error = virGetLastError();
  if (error == nullptr || error->message == nullptr) return fail(Errc::failed, "{}: libvirt gave no reason", what);
  return fail(code_of(*error), "{}: {}", what, escape_untrusted(trim(error->message)));
}

std::string take_string(char* text) {
  std::string taken = text == nullptr ? "" : text;
  std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): libvirt allocates with malloc
  return taken;
}

void Pulse::beat() {
  const std::lock_guard lock(mutex_);
  last_ = std::chrono::steady_clock::now();
}

void Pulse::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

bool Pulse::wait(std::chrono::seconds limit) {
  std::unique_lock lock(mutex_);
  while (!finished_) {
    const auto deadline = last_ + limit;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && !finished_ &&
        std::chrono::steady_clock::now() >= last_ + limit) {
      given_up_ = true;
      return false;
    }
  }
  return true;
}

bool Pulse::may_act() {
  const std::lock_guard lock(mutex_);
  last_ = std::chrono::steady_clock::now();
  acted_ = !given_up_;
  return acted_;
}

bool Pulse::has_acted() {
  const std::lock_guard lock(mutex_);
  return acted_;
}

namespace {

Result<ConnectPtr> open(const std::string& uri, bool writable) {
  virSetErrorFunc(nullptr, print_nothing);
  xml::silence_libxml2();
  if (uri.find(":///embed") != std::string::npos) run_event_loop_once();
  ConnectPtr connection(writable ? nullptr : virConnectOpenReadOnly(uri.c_str()));
  // Some drivers and some daemons' set-ups have no read-only access.
  if (!connection) connection.reset(virConnectOpen(uri.c_str()));
  if (!connection) return last_error("connect to " + escape_untrusted(uri));
  virConnSetErrorFunc(connection.get(), nullptr, print_nothing);
  return connection;
}

}  // namespace

Result<ConnectPtr> open_connection(const std::string& uri) { return open(uri, false); }

Result<ConnectPtr> open_writable_connection(const std::string& uri) { return open(uri, true); }

bool is_local_uri(const std::string& uri) {
  const auto start = uri.find("://");
  if (start == std::string::npos) return true;
  std::string host = uri.substr(start + 3, uri.find_first_of("/?", start + 3) - start - 3);
  if (const auto user = host.rfind('@'); user != std::string::npos) host.erase(0, user + 1);
  if (host.rfind("[::1]", 0) == 0) return true;
  host.erase(std::min(host.find(':'), host.size()));
  return host.empty() || host == "localhost" || host == "127.0.0.1" || host == host_name();
}

}  // namespace vmpatch::inventory::libvirt
