#pragma once
// What passes between vm-patch and a guest worker: frames over a stream socket.
//
//   4 bytes big-endian: length of the header; the header, a JSON object; then the blobs that its "blobs" array gives the
//   sizes of. Paths, names and contents are arbitrary bytes, so they travel as blobs; numbers and words in the header.
//
// A request has "call"; an answer has "ok": true, or "error" (name of an Errc) with "message".

#include <chrono>
#include <string>
#include <vector>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest::worker {

inline constexpr std::uint64_t max_header = 1U << 20U;
inline constexpr std::uint64_t max_blobs_total = 64U << 20U;
inline constexpr std::size_t max_blobs = 8;

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline no_deadline = Deadline::max();

struct Frame {
  Json header = Json::object();
  std::vector<std::string> blobs;

  /// The blob, or an empty string when there is none of that number.
  [[nodiscard]] const std::string& blob(std::size_t index) const;
};

/// Until when a frame may take, and a question that is asked in between, at least twice a second: its error ends the waiting.
struct Patience {
  Patience(Deadline until) : deadline(until) {}  // NOLINT(google-explicit-constructor): a deadline alone is one
  Patience(Deadline until, KeepGoing question) : deadline(until), keep_going(std::move(question)) {}
  Deadline deadline;
  KeepGoing keep_going;  ///< may be empty
};

/// Errors: timeout; failed (the other side is gone, or the frame is larger than the limits); what keep_going says.
Result<void> send_frame(int fd, const Frame& frame, const Patience& patience);
/// Errors: timeout; not_found when the other side closed the socket between frames; failed for anything malformed; what keep_going
/// says.
Result<Frame> receive_frame(int fd, const Patience& patience);

/// Open descriptors, at most max_descriptors, along with one byte of the stream. Errors: failed.
inline constexpr std::size_t max_descriptors = 250;
Result<void> send_descriptors(int fd, const std::vector<int>& descriptors);
/// What send_descriptors() sent: exactly `count`, close-on-exec.
Result<std::vector<UniqueFd>> receive_descriptors(int fd, std::size_t count);

/// A list of strings without NUL bytes as one blob. A string with a NUL byte is failed.
Result<std::string> pack(const std::vector<std::string>& strings);
/// Back again; a blob that does not end with NUL is failed.
Result<std::vector<std::string>> unpack(const std::string& blob);

/// Numbers and flags of a header that the other side chose: present, of that type, within [low, high]; else failed.
Result<std::int64_t> number(const Json& header, const char* name, std::int64_t low, std::int64_t high);
Result<std::string> word(const Json& header, const char* name);

}  // namespace vmpatch::guest::worker
