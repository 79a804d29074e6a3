#include "core/seccomp/filter.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "vmpatch/core/format.hpp"

namespace vmpatch::seccomp {

Result<Filter> make_filter(std::uint32_t other_calls) {
  Filter filter(seccomp_init(other_calls));
  if (!filter) return fail(Errc::failed, "cannot make a system-call filter");
  return filter;
}

Result<void> checked(int code, int call) {
  if (code == 0) return {};
  const std::unique_ptr<char, decltype(&::free)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call), &::free);
  return errno_error(-code, fmt::format("cannot filter system call {}", name ? name.get() : std::to_string(call)));
}

Result<void> add(const Filter& filter, std::uint32_t action, std::initializer_list<int> calls) {
  for (const int call : calls) VMPATCH_CHECK(checked(seccomp_rule_add(filter.get(), action, call, 0), call));
  return {};
}

Result<void> add_if(const Filter& filter, std::uint32_t action, int call, scmp_arg_cmp condition) {
  return checked(seccomp_rule_add_array(filter.get(), action, call, 1, &condition), call);
}

Result<void> load(const Filter& filter) {
  if (const int code = seccomp_load(filter.get()); code != 0) return errno_error(-code, "cannot load the system-call filter");
  return {};
}

Result<void> allow_own_descriptors(const Filter& filter) {
  VMPATCH_CHECK(add(filter, SCMP_ACT_ALLOW,
                    {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
                     SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(close), SCMP_SYS(fstat),
                     SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(fcntl),
                     SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
                     SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
                     SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(rt_sigprocmask),
                     SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield),
                     SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)}));
  // abort() ends this process only.
  VMPATCH_CHECK(add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()))));
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    VMPATCH_CHECK(add_if(filter, SCMP_ACT_ALLOW, call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
  }
  return {};
}

}  // namespace vmpatch::seccomp
