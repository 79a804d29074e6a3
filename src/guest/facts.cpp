#include "vmpatch/guest/facts.hpp"

#include <algorithm>

#include "guest/boot.hpp"
#include "guest/elf.hpp"
#include "guest/evidence.hpp"
#include "guest/kernels.hpp"
#include "guest/optional_files.hpp"
#include "guest/packages.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_small = 1U << 20U;

Result<OsRelease> read_os_release(Guest& guest) {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    VMPATCH_TRY(const auto text, read_if_there(guest, path, max_small));
    if (!text) continue;
    auto os = parse_os_release(*text);
    if (!os) return os.error().in(path);
    return os;
  }
  return fail(Errc::not_found, "no operating system found: neither /etc/os-release nor /usr/lib/os-release exists");
}

/// The first of the usual programs that is an ELF file; scripts and wrappers are passed over.
Result<std::string> read_arch(Guest& guest) {
  for (const char* path : {"/bin/sh", "/bin/bash", "/sbin/init", "/bin/busybox", "/usr/bin/dpkg", "/bin/ls"}) {
    const auto head = guest.read_range(path, 0, 64);
    if (!head) {
      if (head.error().code == Errc::not_found || head.error().code == Errc::failed) continue;
      return head.error();
    }
    std::string arch = elf_machine(*head);
    if (!arch.empty()) return arch;
  }
  return std::string();
}

Result<std::string> read_init(Guest& guest) {
  for (const char* path : {"/sbin/init", "/usr/sbin/init"}) {
    auto target = guest.readlink(path);
    if (!target) {
      // Where init is a program of its own, systemd may be there all the same.
      const auto own = guest.lstat(path);
      VMPATCH_TRY(const bool table, exists(guest, "/etc/inittab"));
      if (own && own->kind == FileKind::regular && table) return std::string("sysvinit");
      continue;  // not a link, or not there
    }
    for (const char* name : {"systemd", "busybox", "openrc", "runit", "upstart", "dinit"}) {
      if (target->find(name) != std::string::npos) return std::string(name);
    }
  }
  const std::pair<const char*, const char*> signs[] = {
      {"/lib/systemd/systemd", "systemd"}, {"/usr/lib/systemd/systemd", "systemd"}, {"/sbin/openrc", "openrc"},
      {"/etc/inittab", "sysvinit"}};
  for (const auto& [path, name] : signs) {
    VMPATCH_TRY(const bool there, exists(guest, path));
    if (there) return std::string(name);
  }
  return std::string();
}

}  // namespace

const Package* Facts::find(std::string_view name) const {
  const auto found = std::find_if(packages.begin(), packages.end(),
                                  [&](const Package& p) { return p.name == name && p.installed(); });
  return found == packages.end() ? nullptr : &*found;
}

Result<Facts> read_facts(Guest& guest) {
  Facts facts;
  facts.access = guest.access();
  facts.hibernated = guest.hibernated();
  VMPATCH_TRY(facts.os, read_os_release(guest));
  VMPATCH_CHECK(read_packages(guest, facts));
  VMPATCH_TRY(const auto fstab, read_if_there(guest, "/etc/fstab", max_small));
  if (fstab) {
    auto mounts = parse_fstab(*fstab);
    if (!mounts) return mounts.error().in("/etc/fstab");
    facts.mounts = std::move(*mounts);
  }
  VMPATCH_TRY(facts.kernels, read_kernels(guest));
  VMPATCH_TRY(facts.arch, read_arch(guest));
  VMPATCH_TRY(facts.init, read_init(guest));
  VMPATCH_TRY(facts.default_boot, read_default_boot(guest, facts.mounts, facts.kernels));
  VMPATCH_TRY(facts.last_boot, read_last_boot(guest, facts));
  VMPATCH_TRY(facts.cloud_init, read_cloud_init(guest, facts));
  VMPATCH_TRY(facts.identity, read_identity(guest));
  return facts;
}

}  // namespace vmpatch::guest
