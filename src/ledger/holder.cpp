#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {
namespace {

/// A killed process that nobody has reaped yet holds nothing any more.
bool is_zombie(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid), 65536);
  if (!text) return false;
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return false;
  const char state = (*text)[name_end + 2];
  return state == 'Z' || state == 'X';
}

}  // namespace

Result<Holder> this_holder() {
  Holder holder;
  holder.pid = ::getpid();
  VMPATCH_TRY(holder.boot_id, boot_id());
  VMPATCH_TRY(holder.start_time, process_start_time(::getpid()));
  return holder;
}

bool is_alive(const Holder& holder) {
  const auto boot = boot_id();
  if (boot && *boot != holder.boot_id) return false;
  const auto pid = static_cast<pid_t>(holder.pid);
  const auto start = process_start_time(pid);
  // What cannot be read may be alive: saying "dead" would let two processes work on one disk.
  if (!start) return start.error().code != Errc::not_found;
  return *start == holder.start_time && !is_zombie(pid);
}

}  // namespace vmpatch::ledger
