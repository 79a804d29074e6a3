#include "vmpatch/core/seccomp.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "core/own_domain.hpp"
#include "core/seccomp/filter.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {
namespace {

using namespace seccomp;

constexpr std::uint32_t deny = SCMP_ACT_ERRNO(EPERM);

/// What no program that touches foreign content needs. The arguments of clone3() lie in memory, where no filter can look; glibc then takes
/// clone().
Result<void> deny_ways_out(const Filter& filter) {
  VMPATCH_CHECK(add(filter, SCMP_ACT_ERRNO(ENOSYS), {SCMP_SYS(clone3)}));
  // Typing into a terminal. Of the request the kernel takes the lower half.
  for (const scmp_datum_t request : {TIOCSTI, TIOCLINUX}) {
    VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xFFFFFFFFU, request)));
  }
  return add(filter, deny,
                    {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
                     SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
                     SCMP_SYS(chroot), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
                     SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
                     SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
                     SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
                     SCMP_SYS(request_key), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(personality), SCMP_SYS(setuid),
                     SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
                     SCMP_SYS(setgroups), SCMP_SYS(io_uring_setup), SCMP_SYS(pidfd_getfd)});
}

Result<void> deny_common(const Filter& filter) {
  VMPATCH_CHECK(deny_ways_out(filter));
  VMPATCH_CHECK(add(filter, deny, {SCMP_SYS(fork), SCMP_SYS(vfork)}));
  // Threads only.
  return add_if(filter, deny, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/// Of sockets leaves unix, TCP and UDP, and NETLINK_ROUTE, which getaddrinfo() asks for this machine's addresses.
Result<void> deny_other_sockets(const Filter& filter) {
  const auto deny_if = [&](std::initializer_list<scmp_arg_cmp> all) {
    return checked(seccomp_rule_add_array(filter.get(), deny, SCMP_SYS(socket), static_cast<unsigned>(all.size()), all.begin()), SCMP_SYS(socket));
  };
  VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_GT, AF_NETLINK)}));
  for (scmp_datum_t family = AF_UNSPEC; family < AF_NETLINK; ++family) {
    if (family != AF_UNIX && family != AF_INET && family != AF_INET6) VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_EQ, family)}));
  }
  VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE)}));
  constexpr scmp_datum_t kinds = 0xF;  // SOCK_TYPE_MASK of linux/net.h; above it flags
  for (const scmp_datum_t family : {scmp_datum_t{AF_INET}, scmp_datum_t{AF_INET6}}) {
    for (scmp_datum_t kind = 0; kind <= kinds; ++kind) {
      if (kind == SOCK_STREAM || kind == SOCK_DGRAM) continue;
      VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, kinds, kind)}));
    }
    for (scmp_datum_t protocol = 1; protocol < IPPROTO_UDP; ++protocol) {
      if (protocol != IPPROTO_TCP) VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_EQ, family), SCMP_A2(SCMP_CMP_EQ, protocol)}));
    }
    VMPATCH_CHECK(deny_if({SCMP_A0(SCMP_CMP_EQ, family), SCMP_A2(SCMP_CMP_GT, IPPROTO_UDP)}));
  }
  return {};
}

/// Signals, limits and scheduling of other processes.
Result<void> deny_reaching_others(const Filter& filter) {
  VMPATCH_CHECK(add(filter, deny,
                    {SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_send_signal),
                     SCMP_SYS(process_madvise), SCMP_SYS(process_mrelease), SCMP_SYS(kcmp), SCMP_SYS(migrate_pages),
                     SCMP_SYS(move_pages), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
                     SCMP_SYS(sched_setattr), SCMP_SYS(setpriority), SCMP_SYS(ioprio_set), SCMP_SYS(setpgid), SCMP_SYS(setsid)}));
  const auto self = static_cast<scmp_datum_t>(::getpid());
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(kill), SCMP_A0(SCMP_CMP_NE, self)));
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_NE, self)));
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_NE, 0)));
  // Of its first argument the kernel takes the lower half.
  return add_if(filter, deny, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_MASKED_EQ, 0xFFFFFFFFU, PR_SET_PDEATHSIG));
}

}  // namespace

Result<void> allow_only_own_descriptors() {
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ERRNO(EPERM)));
  VMPATCH_CHECK(allow_own_descriptors(filter));
  return load(filter);
}

Result<void> deny_processes() {
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ALLOW));
  VMPATCH_CHECK(deny_common(filter));
  VMPATCH_CHECK(add(filter, deny, {SCMP_SYS(execve), SCMP_SYS(execveat)}));
  VMPATCH_CHECK(deny_other_sockets(filter));
  VMPATCH_CHECK(deny_reaching_others(filter));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "cannot give up privileges");
  enter_own_domain(DomainFiles::unchanged);
  return load(filter);
}

Result<void> deny_leaving(const FilesBelow& files) {
  VMPATCH_CHECK(enter_own_domain(files));
  return deny_leaving();
}

Result<void> deny_leaving() {
  enter_own_domain(DomainFiles::as_before);
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ALLOW));
  VMPATCH_CHECK(deny_ways_out(filter));
  for (const scmp_datum_t flag : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
    VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)));
  }
  VMPATCH_CHECK(add_if(filter, deny, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_NE, AF_UNIX)));
  return load(filter);
}

Result<SystemCallFilter> deny_escape() {
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ALLOW));
  VMPATCH_CHECK(deny_common(filter));
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
