#include "core/own_domain.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {
namespace {

// Of the first version of Landlock, so that every kernel that has it takes them.
constexpr __u64 devices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr __u64 changes = devices | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                          LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                          LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;

constexpr __u64 reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr __u64 writing = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
// Of the third version; the kernel's headers may be older.
constexpr __u64 truncating = 1U << 14U;
// Of the second: links and names from one folder to another. What is not asked for is refused.
constexpr __u64 referring = 1U << 13U;

long landlock_version() { return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION); }

Result<void> allow_below(int ruleset, const std::filesystem::path& folder, __u64 access, int kind = O_DIRECTORY) {
  const UniqueFd fd(::open(folder.c_str(), O_PATH | kind | O_CLOEXEC));
  if (!fd) return errno_error(errno, folder.string());
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = fd.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return errno_error(errno, fmt::format("cannot confine this process to {}", folder.string()));
  }
  return {};
}

}  // namespace

bool has_landlock() { return landlock_version() > 0; }

Result<void> enter_own_domain(const FilesBelow& files) {
  const long version = landlock_version();
  if (version <= 0) return {};
  const __u64 optional = version >= 3 ? truncating : 0;
  const __u64 moving = version >= 2 ? referring : 0;
  landlock_ruleset_attr denied{};
  denied.handled_access_fs = changes | reading | optional | (files.work.empty() ? 0 : moving);
  const UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &denied, sizeof denied.handled_access_fs, 0)));
  if (!ruleset) return errno_error(errno, "cannot confine this process to folders");
  const auto allow_if_there = [&](const auto& paths, __u64 access, int kind) -> Result<void> {
    for (const auto& path : paths) {
      if (auto allowed = allow_below(ruleset.get(), path, access, kind); !allowed && allowed.error().code != Errc::not_found) return allowed;
    }
    return {};
  };
  VMPATCH_CHECK(allow_if_there(files.read, reading, O_DIRECTORY));
  VMPATCH_CHECK(allow_if_there(files.run, reading | LANDLOCK_ACCESS_FS_EXECUTE, O_DIRECTORY));
  VMPATCH_CHECK(allow_if_there(files.devices, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, 0));
  for (const auto& folder : files.write) VMPATCH_CHECK(allow_below(ruleset.get(), folder, writing | optional));
  const __u64 working = ((changes | reading) & ~devices) | optional | moving;
  for (const auto& folder : files.work) VMPATCH_CHECK(allow_below(ruleset.get(), folder, working));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return errno_error(errno, "cannot confine this process to folders");
  return {};
}

void enter_own_domain(DomainFiles files) {
  landlock_ruleset_attr denied{};
  denied.handled_access_fs = files == DomainFiles::unchanged ? changes : devices;
  const auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &denied, sizeof denied.handled_access_fs, 0));
  if (ruleset < 0) return;
  static_cast<void>(::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0);
  ::close(ruleset);
}

}  // namespace vmpatch
