// SCM_RIGHTS, unix(7). The kernel takes at most 253 descriptors at once.
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "guest/worker/wire.hpp"

namespace vmpatch::guest::worker {
namespace {

struct Message {
  char byte = 'd';
  iovec part{&byte, 1};
  std::vector<char> control;
  msghdr header{};

  explicit Message(std::size_t count) : control(CMSG_SPACE(count * sizeof(int))) {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
};

}  // namespace

Result<void> send_descriptors(int fd, const std::vector<int>& descriptors) {
  if (descriptors.empty() || descriptors.size() > max_descriptors) {
    return fail(Errc::failed, "{} disks cannot be passed on; at most {}", descriptors.size(), max_descriptors);
  }
  Message message(descriptors.size());
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size() * sizeof(int));
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &message.header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent != 1) return fail(Errc::failed, "the other side is gone");
  return {};
}

Result<std::vector<UniqueFd>> receive_descriptors(int fd, std::size_t count) {
  if (count == 0 || count > max_descriptors) return fail(Errc::failed, "an impossible number of descriptors");
  Message message(count);
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd, &message.header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  std::vector<UniqueFd> received;
  const cmsghdr* control = got == 1 ? CMSG_FIRSTHDR(&message.header) : nullptr;
  if (control != nullptr && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
    std::vector<int> numbers((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(numbers.data(), CMSG_DATA(control), numbers.size() * sizeof(int));
    for (const int number : numbers) received.emplace_back(number);
  }
  if (received.size() != count) return fail(Errc::failed, "the disks' connections did not arrive");
  return received;
}

}  // namespace vmpatch::guest::worker
