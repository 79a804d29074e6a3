// vm-patch-augeas: one question to libaugeas about one file's content. It is started without privileges, network or the
// right to start programs, and opens nothing but Augeas' own lenses.
#include "guest/augeas/augeas.hpp"
#include "guest/worker/process.hpp"
#include "guest/worker/serve.hpp"
#include "vmpatch/core/seccomp.hpp"

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

/// Augeas' lenses, below the prefixes that distributions and administrators build it with.
Result<void> confine() {
#ifdef __SANITIZE_ADDRESS__  // which opens files of its own
  return {};
#else
  return allow_only_files_below({{"/usr/share/augeas", "/usr/local/share/augeas"}, {}});
#endif
}

int run() {
  const auto confined = confine();
  if (!confined) return send_frame(worker_socket, error_frame(confined.error().in("Augeas")), no_deadline) ? 0 : 1;
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
