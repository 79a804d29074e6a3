// vm-patch-guest: reads one guest directly. It is started without privileges, gets the connections to the disks, and can
// open nothing else.
#include "guest/direct/direct.hpp"
#include "guest/worker/process.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch::guest::worker {
namespace {

/// The first frame: {"disks": [{"name", "size"}]}; then the connections in that order.
Result<Opened> open_direct(const Frame& request) {
  const auto disks = request.header.find("disks");
  if (disks == request.header.end() || !disks->is_array()) return fail(Errc::failed, "guest worker: no disks");
  VMPATCH_TRY(auto sockets, receive_descriptors(worker_socket, disks->size()));
  std::vector<direct::Connection> connections;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    VMPATCH_TRY(std::string name, word((*disks)[i], "name"));
    VMPATCH_TRY(const std::int64_t size, number((*disks)[i], "size", 0, INT64_MAX));
    connections.push_back({std::move(sockets[i]), std::move(name), static_cast<std::uint64_t>(size)});
  }
  Opened opened;
  VMPATCH_TRY(opened.guest, direct::open(std::move(connections), &opened.hibernated));
  return opened;
}

int run() {
#ifndef __SANITIZE_ADDRESS__  // which opens files of its own
  if (const auto confined = allow_only_own_descriptors(); !confined) {
    return serve_guest([&](const Frame&) -> Result<Opened> { return confined.error().in("guest worker"); });
  }
#endif
  return serve_guest(open_direct);
}

}  // namespace
}  // namespace vmpatch::guest::worker

int main() { return vmpatch::guest::worker::run(); }
