#include "vmpatch/core/qmp.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

constexpr std::size_t max_line = 1U << 20U;

/// poll() until the socket is ready for `events`; false when the deadline came first.
Result<bool> wait_ready(int fd, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd watched{fd, events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return errno_error(errno, "wait for QEMU");
    if (left <= 0) return false;
  }
}

ssize_t send_with_fd(int socket, std::string_view text, int pass_fd) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (pass_fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pass_fd, sizeof pass_fd);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string description(const Json& error) {
  const auto found = error.is_object() ? error.find("desc") : error.end();
  return error.is_object() && found != error.end() && found->is_string() ? escape_untrusted(found->get<std::string>())
                                                                         : "no description";
}

}  // namespace

Error Qmp::break_off(Errc code, std::string message) {
  socket_.reset();
  return make_error(code, std::move(message));
}

Result<void> Qmp::send(std::string_view text, int pass_fd, Deadline deadline) {
  if (!socket_) return fail(Errc::failed, "the connection to QEMU is closed");
  while (!text.empty()) {
    VMPATCH_TRY(const bool ready, wait_ready(socket_.get(), POLLOUT, deadline));
    if (!ready) return break_off(Errc::timeout, "QEMU does not take commands");
    const ssize_t n = send_with_fd(socket_.get(), text, pass_fd);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return break_off(Errc::failed, "QEMU closed the connection");
    text.remove_prefix(static_cast<std::size_t>(n));
    pass_fd = -1;
  }
  return {};
}

Result<std::optional<Json>> Qmp::receive(Deadline deadline) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      auto message = parse_json(std::string_view(buffer_).substr(0, end), "QEMU's message");
      buffer_.erase(0, end + 1);
      if (!message) return break_off(Errc::failed, message.error().message);
      if (!message->is_object()) return break_off(Errc::failed, "QEMU sent a message that is not an object");
      return std::optional<Json>(std::move(*message));
    }
    if (!socket_) return fail(Errc::failed, "the connection to QEMU is closed");
    if (buffer_.size() > max_line) return break_off(Errc::failed, "QEMU sent an endless message");
    VMPATCH_TRY(const bool ready, wait_ready(socket_.get(), POLLIN, deadline));
    if (!ready) return std::optional<Json>();
    std::array<char, 16384> chunk;
    const ssize_t n = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return break_off(Errc::failed, "QEMU closed the connection");
    buffer_.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

Result<void> Qmp::negotiate(Milliseconds timeout) {
  VMPATCH_TRY(const auto greeting, receive(std::chrono::steady_clock::now() + timeout));
  if (!greeting) return break_off(Errc::timeout, "QEMU did not greet in time");
  if (!greeting->contains("QMP")) return break_off(Errc::failed, "QEMU did not greet with QMP");
  VMPATCH_CHECK(execute("qmp_capabilities", Json::object(), -1, timeout));
  return {};
}

Result<Json> Qmp::execute(std::string_view command, const Json& arguments, int pass_fd, Milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  const std::uint64_t id = next_id_++;
  Json request{{"execute", command}, {"id", id}};
  if (!arguments.empty()) request["arguments"] = arguments;
  VMPATCH_CHECK(send(dump_json(request) + "\n", pass_fd, deadline));
  for (;;) {
    VMPATCH_TRY(const auto message, receive(deadline));
    if (!message) return break_off(Errc::timeout, fmt::format("QEMU did not answer {} in time", command));
    if (message->contains("event")) {
      event_seen_ = true;
      continue;
    }
    const auto reply_id = message->find("id");
    if (reply_id == message->end() || *reply_id != id) {
      return break_off(Errc::failed, fmt::format("QEMU answered another question than {}", command));
    }
    if (const auto error = message->find("error"); error != message->end()) {
      return fail(Errc::failed, "QEMU refused {}: {}", command, description(*error));
    }
    const auto value = message->find("return");
    if (value == message->end()) return break_off(Errc::failed, fmt::format("QEMU answered {} without a value", command));
    return *value;
  }
}

Result<void> Qmp::wait_for_event(Milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  if (!std::exchange(event_seen_, false)) {
    VMPATCH_CHECK(receive(deadline));
    event_seen_ = false;
  }
  return {};
}

}  // namespace vmpatch
