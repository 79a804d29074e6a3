#include "guest/worker/process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "guest/worker/serve.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::worker {
namespace {

Frame opened_frame(const Opened& opened) {
  Frame frame;
  frame.header["ok"] = true;
  frame.header["hibernated"] = opened.hibernated;
  // It names mount points, and the parent takes 4096 bytes. Escaping what was cut may double it.
  constexpr std::size_t longest = 2000;
  frame.blobs.push_back(ensure_escaped(opened.guest->access(), longest));
  return frame;
}

int serve(const std::function<Result<Opened>(const Frame&)>& open) {
  auto request = receive_frame(worker_socket, no_deadline);
  if (!request) return request.error().code == Errc::not_found ? 0 : 1;
  auto opened = open(*request);
  if (!opened) {
    static_cast<void>(send_frame(worker_socket, error_frame(opened.error()), no_deadline).has_value());
    return 1;
  }
  Frame reply = opened_frame(*opened);
  while (send_frame(worker_socket, reply, no_deadline)) {
    request = receive_frame(worker_socket, no_deadline);
    if (!request) return request.error().code == Errc::not_found ? 0 : 1;
    reply = answer(*request, *opened->guest, opened->writable);
  }
  return 1;
}

}  // namespace

int serve_guest(const std::function<Result<Opened>(const Frame&)>& open) {
  if (::fcntl(worker_socket, F_SETFD, FD_CLOEXEC) != 0) return 2;
  try {
    return serve(open);
  } catch (const std::exception& error) {
    static_cast<void>(write_all(STDERR_FILENO, fmt::format("guest worker: {}\n", error.what())).has_value());
    return 1;
  }
}

}  // namespace vmpatch::guest::worker
