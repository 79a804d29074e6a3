#include "vmpatch/core/seccomp.hpp"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {
namespace {

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

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

}  // namespace

Result<void> allow_only_own_descriptors() {
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ERRNO(EPERM)));
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
  if (const int code = seccomp_load(filter.get()); code != 0) return errno_error(-code, "cannot load the system-call filter");
  return {};
}

Result<SystemCallFilter> deny_escape() {
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ALLOW));
  const auto deny = SCMP_ACT_ERRNO(EPERM);
  VMPATCH_CHECK(add(filter, deny,
                    {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
                     SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
                     SCMP_SYS(chroot), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
                     SCMP_SYS(open_by_handle_at), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
                     SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
                     SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
                     SCMP_SYS(request_key), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(personality), SCMP_SYS(setuid),
                     SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
                     SCMP_SYS(setgroups), SCMP_SYS(io_uring_setup), SCMP_SYS(pidfd_getfd)}));
  // Threads only. The arguments of clone3() lie in memory, where no filter can look; glibc then takes clone().
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)));
  VMPATCH_CHECK(add(filter, SCMP_ACT_ERRNO(ENOSYS), {SCMP_SYS(clone3)}));
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_NE, AF_UNIX)));

  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return errno_error(errno, "cannot make a memory file");
  if (const int code = seccomp_export_bpf(filter.get(), file.get()); code != 0) return errno_error(-code, "cannot compile a system-call filter");
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  SystemCallFilter compiled;
  if (size <= 0 || size % 8 != 0) return fail(Errc::failed, "a system-call filter of {} bytes", size);
  compiled.instructions.resize(static_cast<std::size_t>(size) / 8);
  if (::pread(file.get(), compiled.instructions.data(), static_cast<std::size_t>(size), 0) != size) {
    return errno_error(errno, "cannot read a system-call filter");
  }
  return compiled;
}

}  // namespace vmpatch
