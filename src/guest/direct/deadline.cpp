#include "guest/direct/deadline.hpp"

#include <ctime>

namespace vmpatch::guest::direct {
namespace {

Deadline::Nanoseconds processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + Deadline::Nanoseconds(now.tv_nsec);
}

}  // namespace

void Deadline::begin() {
  end_ = Clock::now() + limit;
  begun_ = processor_time();
  running_ = true;
  checks_ = 0;
}

Deadline::Nanoseconds Deadline::used() const {
  return running_ ? earlier_ + processor_time() - begun_ - forgiven_ : earlier_;
}

Result<void> Deadline::check() const {
  if (Clock::now() >= end_) return fail(Errc::timeout, "it took longer than {} s", limit.count());
  // Unlike the clock on the wall it costs a system call. The first check of an operation always looks.
  constexpr unsigned rarely = 16;
  if (checks_++ % rarely == 0 && used() > work_) {
    return fail(Errc::timeout, "reading the guest took more than {:.3g} s of processor time, as only a damaged or forged file system does; check it with e2fsck",
                std::chrono::duration<double>(work_).count());
  }
  return {};
}

}  // namespace vmpatch::guest::direct
