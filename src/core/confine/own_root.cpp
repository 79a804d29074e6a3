#include "core/confine/own_root.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

constexpr const char* base = "/tmp";  ///< every host has it; the new root is mounted over it

Error cannot(std::string_view what) { return errno_error(errno, fmt::format("confinement: cannot {}", what)); }

/// Opened before the new root hides the way to it, and after unshare(): the kernel binds only from mounts of the caller's own namespace.
struct Binding {
  UniqueFd source;
  std::string target;  ///< below the new root
  std::uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
};

/// A link of the host, such as /bin -> usr/bin.
struct Link {
  std::string text;
  std::string target;
};

struct Contents {
  std::vector<Binding> bindings;
  std::vector<Link> links{{"/proc/self/fd", "/dev/fd"}};

  /// What the host does not have is left out.
  void add(const fs::path& source, const std::string& target, std::uint64_t attributes = Binding().attributes) {
    UniqueFd fd(::open(source.c_str(), O_PATH | O_CLOEXEC));
    if (fd) bindings.push_back({std::move(fd), target, attributes});
  }
  Result<void> need(const fs::path& source, const std::string& target, std::uint64_t attributes = Binding().attributes) {
    const auto before = bindings.size();
    add(source, target, attributes);
    return bindings.size() > before ? Result<void>() : Result<void>(cannot(fmt::format("reach {}", source.string())));
  }
  void add_or_link(const std::string& path) {
    std::error_code error;
    const auto text = fs::read_symlink(path, error);
    if (error) return add(path, path);
    links.push_back({text.string(), path});
  }
};

Result<Contents> host_contents() {
  Contents contents;
  VMPATCH_CHECK(contents.need("/usr", "/usr"));
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) contents.add_or_link(path);
  for (const char* path : {"/etc/ld.so.cache", "/etc/alternatives"}) contents.add(path, path);
  constexpr std::uint64_t device = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/kvm"}) contents.add(path, path, device);
  VMPATCH_CHECK(contents.need("/proc", "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  return contents;
}

Result<void> add_own(Contents& contents, const Confinement& confinement) {
  for (const auto& part : confinement.parts) {
    const std::uint64_t read_only = part.writable ? 0 : MOUNT_ATTR_RDONLY;
    VMPATCH_CHECK(contents.need(part.outside, part.inside, read_only | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  }
  return {};
}

Result<void> make_target(int source, const std::string& path) {
  struct stat info {};
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (::fstat(source, &info) != 0) return cannot("look at " + path);
  const bool made = S_ISDIR(info.st_mode) ? ::mkdir(path.c_str(), 0755) == 0
                                          : ::close(::open(path.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600)) == 0;
  return made ? Result<void>() : Result<void>(cannot("make " + path));
}

Result<void> bind(const Binding& binding) {
  const std::string target = base + binding.target;
  VMPATCH_CHECK(make_target(binding.source.get(), target));
  const std::string source = fmt::format("/proc/self/fd/{}", binding.source.get());
  // With what is mounted below: in a user namespace the kernel binds nothing that would uncover what a mount hides.
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return cannot("bind " + binding.target);
  mount_attr attributes{};
  attributes.attr_set = binding.attributes;
  if (::mount_setattr(AT_FDCWD, target.c_str(), AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    return cannot("protect " + binding.target);
  }
  return {};
}

Result<void> mount_memory(const std::string& where, const std::string& options) {
  if (::mount("vm-patch", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) return cannot("mount memory at " + where);
  return {};
}

Result<void> make_tmp(const Confinement& confinement) {
  const uid_t uid = confinement.run_as ? confinement.run_as->uid : ::geteuid();
  const gid_t gid = confinement.run_as ? confinement.run_as->gid : ::getegid();
  const std::string tmp = std::string(base) + "/tmp";
  if (::mkdir(tmp.c_str(), 0755) != 0) return cannot("make " + tmp);
  VMPATCH_CHECK(mount_memory(tmp, fmt::format("mode=0700,uid={},gid={},size={},nr_inodes=4096", uid, gid, confinement.memory)));
  const std::string work = std::string(base) + own_tmp;
  if (::mkdir(work.c_str(), 0700) != 0 || ::chown(work.c_str(), uid, gid) != 0) return cannot("make its folder");
  return {};
}

Result<void> change_root() {
  if (::chdir(base) != 0) return cannot("enter its root");
  // The old root lies under the new one for a moment: pivot_root(2), "pivot_root(".", ".")".
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::umount2(".", MNT_DETACH) != 0) return cannot("leave the host's root");
  } else if (errno != EINVAL || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0) {
    // A host that runs from its initramfs cannot leave that: there the new root covers it.
    return cannot("change its root");
  }
  return ::chdir("/") == 0 ? Result<void>() : Result<void>(cannot("enter its root"));
}

}  // namespace

Result<void> enter_own_root(const Confinement& confinement) {
  // A change of nothing asks whether the kernel has the call (since 5.12).
  mount_attr nothing{};
  if (::mount_setattr(AT_FDCWD, "/", 0, &nothing, sizeof nothing) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Error error = cannot("make mounts private");
    error.code = Errc::unsupported;
    return error;
  }
  VMPATCH_TRY(Contents contents, host_contents());
  VMPATCH_CHECK(add_own(contents, confinement));
  ::umask(0022);  // the confined account passes through what is made here
  // From here on what lies below /tmp can only be reached by what was opened.
  VMPATCH_CHECK(mount_memory(base, "mode=0755,size=1m,nr_inodes=256"));
  VMPATCH_CHECK(make_tmp(confinement));
  for (const Binding& binding : contents.bindings) VMPATCH_CHECK(bind(binding));
  for (const Link& link : contents.links) {
    if (::symlink(link.text.c_str(), (base + link.target).c_str()) != 0) return cannot("make " + link.target);
  }
  return change_root();
}

Result<void> seal_root() {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, "/", 0, &attributes, sizeof attributes) != 0) return cannot("protect its root");
  return {};
}

}  // namespace vmpatch
