// vm-patch-augeas: one question to libaugeas about one file's content. It is started without privileges, network or the
// right to start programs, and opens only Augeas' own lenses.
#include "guest/augeas/augeas.hpp"
#include "guest/worker/process.hpp"
#include "guest/worker/serve.hpp"

namespace vmpatch::guest::worker {
namespace {

/// Blobs: content, path, lens, node.
Result<Frame> ask(const Frame& request) {
  VMPATCH_TRY(auto value, augeas::get(request.blob(0), request.blob(1), request.blob(2), request.blob(3)));
  Frame reply;
  reply.header["ok"] = true;
  reply.header["found"] = value.has_value();
  reply.blobs.push_back(value.value_or(""));
  return reply;
}

int run() {
  const auto request = receive_frame(worker_socket, no_deadline);
  if (!request) return 1;
  const auto reply = ask(*request);
  return send_frame(worker_socket, reply ? *reply : error_frame(reply.error()), no_deadline) ? 0 : 1;
}

}  // namespace
}  // namespace vmpatch::guest::worker

int main() {
  try {
    return vmpatch::guest::worker::run();
  } catch (const std::exception&) {
    return 1;
  }
}
