#include "gate/hook/arguments.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <span>

#include "vmpatch/core/format.hpp"

namespace vmpatch::gate {
namespace {

constexpr std::size_t largest_xml = 4U << 20U;

/// False: there is no such option, or not with that value.
bool take_option(std::string_view option, std::string_view value, Call& call) {
  if (option == "--state-dir") {
    call.state_dir = value;
  } else if (option == "--run-dir") {
    call.run_dir = value;
  } else if (option == "--daemon") {
    call.daemon = value;
  } else if (option == "--allowed-code") {
    const auto read = std::from_chars(value.data(), value.data() + value.size(), call.code_for_allowed);
    return read.ec == std::errc() && read.ptr == value.data() + value.size() && call.code_for_allowed > 0 && call.code_for_allowed < 126;
  } else {
    return false;
  }
  return true;
}

/// Options count only where "--" ends them: a domain may be named "--state-dir".
std::span<char*> take_options(std::span<char*> words, Call& call) {
  Call read = call;
  for (std::size_t at = 0; at < words.size(); at += 2) {
    if (std::string_view(words[at]) == "--") {
      call = std::move(read);
      return words.subspan(at + 1);
    }
    if (at + 1 == words.size() || !take_option(words[at], words[at + 1], read)) break;
  }
  return words;
}

}  // namespace

bool Call::decides() const {
  switch (operation) {
    case Operation::prepare:
    case Operation::start:
    case Operation::started:
    case Operation::restore:
    case Operation::migrate: return true;
    case Operation::stopped:
    case Operation::release:
    case Operation::reconnect:
    case Operation::attach:
    case Operation::other: return false;
  }
  return false;
}

Result<Call> parse_call(int argc, char** argv) {
  std::span<char*> words(argv, static_cast<std::size_t>(argc));
  if (!words.empty()) words = words.subspan(1);
  Call call;
  call.state_dir = VMPATCH_DEFAULT_STATE_DIR;
  words = take_options(words, call);
  if (words.size() < 2) return fail(Errc::usage, "usage: vm-patch-gate [--state-dir DIR] [--allowed-code NUMBER] -- NAME OPERATION SUB-OPERATION EXTRA");
  call.name = words[0];
  call.word = words[1];
  if (words.size() > 2) call.sub_operation = words[2];
  if (words.size() > 3) call.extra = words[3];
  call.operation = parse_operation(call.word);
  return call;
}

Result<std::string> read_domain_xml(SteadyTime limit) {
  std::string xml;
  std::array<char, 64U << 10U> buffer;
  bool too_large = false;
  for (;;) {
    VMPATCH_TRY(const bool ready, wait_readable(STDIN_FILENO, limit));
    if (!ready) return fail(Errc::timeout, "the domain XML did not end in time");
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read the domain XML");
    if (got == 0) break;
    too_large = too_large || xml.size() + static_cast<std::size_t>(got) > largest_xml;
    if (!too_large) xml.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (too_large) return fail(Errc::refused, "the domain XML is larger than {} bytes", largest_xml);
  return xml;
}

}  // namespace vmpatch::gate
