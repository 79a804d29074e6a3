#include "core/own_domain.hpp"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vmpatch {
namespace {

// Of the first version of Landlock, so that every kernel that has it takes them.
constexpr __u64 devices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr __u64 changes = devices | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                          LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                          LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;

}  // namespace

void enter_own_domain(DomainFiles files) {
  landlock_ruleset_attr denied{};
  denied.handled_access_fs = files == DomainFiles::unchanged ? changes : devices;
  const auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &denied, sizeof denied.handled_access_fs, 0));
  if (ruleset < 0) return;
  static_cast<void>(::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0);
  ::close(ruleset);
}

}  // namespace vmpatch
