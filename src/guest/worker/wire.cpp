#include "guest/worker/wire.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vmpatch/core/json.hpp"

namespace vmpatch::guest::worker {
namespace {

/// For poll(2), until something has to be looked at.
int milliseconds(const Patience& patience) {
  constexpr int question = 500;
  const int longest = patience.keep_going ? question : 3'600'000;
  if (patience.deadline == no_deadline) return patience.keep_going ? question : -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, longest));
}

Result<void> wait_for(int fd, short events, const Patience& patience) {
  const Deadline deadline = patience.deadline;
  for (;;) {
    if (patience.keep_going) VMPATCH_CHECK(patience.keep_going());
    const int wait = milliseconds(patience);
    pollfd watched{fd, events, 0};
    const int ready = ::poll(&watched, 1, wait);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error(errno, "cannot wait for the guest worker's socket");
    if (deadline != no_deadline && std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::timeout, "no answer in time");
    }
  }
}

Result<void> send_bytes(int fd, std::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      VMPATCH_CHECK(wait_for(fd, POLLOUT, patience));
    } else if (sent < 0 && errno != EINTR) {
      return fail(Errc::failed, "the other side is gone");
    }
  }
  return {};
}

/// Fills `bytes`; the count is smaller only at the end of the stream.
Result<std::size_t> receive_bytes(int fd, char* bytes, std::size_t size, const Patience& patience) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::recv(fd, bytes + done, size - done, MSG_DONTWAIT);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0 || errno == ECONNRESET) {
      return done;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      VMPATCH_CHECK(wait_for(fd, POLLIN, patience));
    } else if (errno != EINTR) {
      return errno_error(errno, "cannot read from the guest worker's socket");
    }
  }
  return done;
}

Result<std::string> receive_exactly(int fd, std::uint64_t size, const Patience& patience) {
  // In steps, so that a length without content does not cost memory.
  constexpr std::uint64_t step = 1U << 20U;
  std::string bytes;
  while (bytes.size() < size) {
    const std::size_t before = bytes.size();
    bytes.resize(before + std::min<std::uint64_t>(step, size - before));
    VMPATCH_TRY(const std::size_t got, receive_bytes(fd, bytes.data() + before, bytes.size() - before, patience));
    if (got != bytes.size() - before) return fail(Errc::failed, "the stream ended in the middle of a frame");
  }
  return bytes;
}

}  // namespace

const std::string& Frame::blob(std::size_t index) const {
  static const std::string none;
  return index < blobs.size() ? blobs[index] : none;
}

Result<void> send_frame(int fd, const Frame& frame, const Patience& patience) {
  Json header = frame.header;
  header["blobs"] = Json::array();
  std::uint64_t total = 0;
  for (const std::string& blob : frame.blobs) {
    header["blobs"].push_back(blob.size());
    total += blob.size();
  }
  const std::string text = dump_json(header);
  if (text.size() > max_header || frame.blobs.size() > max_blobs || total > max_blobs_total) {
    return fail(Errc::failed, "a message of {} and {} bytes is larger than the worker protocol allows", text.size(), total);
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string head;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) head += static_cast<char>(static_cast<unsigned char>(size >> shift & 0xFFU));
  VMPATCH_CHECK(send_bytes(fd, head + text, patience));
  for (const std::string& blob : frame.blobs) VMPATCH_CHECK(send_bytes(fd, blob, patience));
  return {};
}

Result<Frame> receive_frame(int fd, const Patience& patience) {
  std::array<char, 4> head{};
  VMPATCH_TRY(const std::size_t got, receive_bytes(fd, head.data(), head.size(), patience));
  if (got == 0) return fail(Errc::not_found, "the other side closed the connection");
  if (got != head.size()) return fail(Errc::failed, "the stream ended in the middle of a frame");
  std::uint64_t size = 0;
  for (const char c : head) size = size << 8U | static_cast<unsigned char>(c);
  if (size > max_header) return fail(Errc::failed, "a frame header of {} bytes", size);
  VMPATCH_TRY(const std::string text, receive_exactly(fd, size, patience));
  Frame frame;
  VMPATCH_TRY(frame.header, parse_json(text, "frame header"));
  if (!frame.header.is_object() || !frame.header.contains("blobs") || !frame.header["blobs"].is_array() ||
      frame.header["blobs"].size() > max_blobs) {
    return fail(Errc::failed, "a frame header without a list of blobs");
  }
  std::uint64_t total = 0;
  for (const Json& entry : frame.header["blobs"]) {
    if (!entry.is_number_unsigned() || entry.get<std::uint64_t>() > max_blobs_total) return fail(Errc::failed, "a blob without a valid size");
    total += entry.get<std::uint64_t>();
    if (total > max_blobs_total) return fail(Errc::failed, "blobs of {} bytes", total);
    VMPATCH_TRY(std::string blob, receive_exactly(fd, entry.get<std::uint64_t>(), patience));
    frame.blobs.push_back(std::move(blob));
  }
  return frame;
}

Result<std::string> pack(const std::vector<std::string>& strings) {
  std::string blob;
  for (const std::string& string : strings) {
    if (string.find('\0') != std::string::npos) return fail(Errc::failed, "a name or value holds a NUL byte");
    blob += string;
    blob += '\0';
  }
  return blob;
}

Result<std::vector<std::string>> unpack(const std::string& blob) {
  if (!blob.empty() && blob.back() != '\0') return fail(Errc::failed, "a list that is not closed");
  std::vector<std::string> strings;
  for (std::size_t start = 0; start < blob.size();) {
    const std::size_t end = blob.find('\0', start);
    strings.push_back(blob.substr(start, end - start));
    start = end + 1;
  }
  return strings;
}

Result<std::int64_t> number(const Json& header, const char* name, std::int64_t low, std::int64_t high) {
  const auto found = header.find(name);
  if (found == header.end() || !found->is_number_integer()) return fail(Errc::failed, "field {} is no whole number", name);
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return fail(Errc::failed, "field {} is out of range", name);
  }
  const auto value = found->get<std::int64_t>();
  if (value < low || value > high) return fail(Errc::failed, "field {} is out of range", name);
  return value;
}

Result<std::string> word(const Json& header, const char* name) {
  const auto found = header.find(name);
  if (found == header.end() || !found->is_string()) return fail(Errc::failed, "field {} is no text", name);
  return found->get<std::string>();
}

}  // namespace vmpatch::guest::worker
