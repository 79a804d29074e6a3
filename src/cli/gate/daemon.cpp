#include "cli/gate/daemon.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// systemd is the peer of a socket that it activated, and a pid file may be old: never signal what is not libvirt.
bool is_libvirt(pid_t pid) {
  const auto name = read_file(fmt::format("/proc/{}/comm", pid), 4096);
  if (!name) return false;
  const std::string_view word = trim(*name);
  return word == "libvirtd" || word == "virtqemud";
}

pid_t pid_from_file(const fs::path& path) {
  const auto text = read_file(path, 4096);
  if (!text) return -1;
  const std::string_view word = trim(*text);
  pid_t pid = -1;
  std::from_chars(word.data(), word.data() + word.size(), pid);
  return pid > 1 && is_libvirt(pid) ? pid : -1;
}

pid_t pid_from_socket(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) return -1;
  std::ranges::copy(text, static_cast<char*>(address.sun_path));
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  return peer.pid > 1 && is_libvirt(peer.pid) ? peer.pid : -1;
}

/// "qemu+unix:///system?socket=/path" → /path.
fs::path socket_of(const std::string& uri) {
  const auto at = uri.find("?socket=");
  if (at == std::string::npos) return {};
  const std::string rest = uri.substr(at + 8);
  return rest.substr(0, rest.find('&'));
}

}  // namespace

Result<pid_t> find_libvirt_daemon(const std::string& uri) {
  if (const fs::path socket = socket_of(uri); !socket.empty()) {
    if (const pid_t pid = pid_from_socket(socket); pid > 0) return pid;
    return fail(Errc::not_found, "no libvirt daemon answers on {}", escape_untrusted(socket.string()));
  }
  for (const char* file : {"/run/virtqemud.pid", "/run/libvirt/virtqemud.pid", "/run/libvirtd.pid", "/run/libvirt/libvirtd.pid"}) {
    if (const pid_t pid = pid_from_file(file); pid > 0) return pid;
  }
  for (const char* socket : {"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"}) {
    if (const pid_t pid = pid_from_socket(socket); pid > 0) return pid;
  }
  return fail(Errc::not_found, "no libvirt daemon runs on this computer");
}

Result<void> reload_libvirt_daemon(pid_t pid) {
  if (::kill(pid, SIGHUP) != 0) return errno_error(errno, fmt::format("cannot make the libvirt daemon (process {}) reload", pid));
  return {};
}

}  // namespace vmpatch::cli
