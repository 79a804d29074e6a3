#include <sys/prctl.h>

#include <cerrno>

#include "core/own_domain.hpp"
#include "core/seccomp/filter.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch {
namespace {

using namespace seccomp;

/// Files by name are for Landlock to judge; here is what else reads and writes them. Nothing changes owner, mode, times or
/// name of a file, and truncate(2) is missing because the first versions of Landlock do not look at it.
Result<void> allow_files(const Filter& filter) {
  return add(filter, SCMP_ACT_ALLOW,
             {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access),
              SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
              SCMP_SYS(getdents64), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(ftruncate), SCMP_SYS(fsync),
              SCMP_SYS(fdatasync), SCMP_SYS(fadvise64), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(umask),
              SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage)});
}

}  // namespace

Result<void> allow_only_files_below(const FilesBelow& files) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "cannot give up privileges");
  VMPATCH_CHECK(enter_own_domain(files));
  VMPATCH_TRY(const Filter filter, make_filter(SCMP_ACT_ERRNO(EPERM)));
  VMPATCH_CHECK(allow_own_descriptors(filter));
  VMPATCH_CHECK(allow_files(filter));
  return load(filter);
}

}  // namespace vmpatch
