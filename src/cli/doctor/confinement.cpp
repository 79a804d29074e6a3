// What keeps a process that a guest has taken over away from the host and from other guests.
#include <pwd.h>
#include <unistd.h>

#include "cli/doctor/checks.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/seccomp.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::cli {

Finding check_account() {
  const std::string what = "worker account";
  const auto account = worker_credentials();
  if (!account) return {what, Health::good, "your own: without root, guests are read as this user"};
  const passwd* own = ::getpwnam("vm-patch");
  if (own != nullptr && own->pw_uid == account->uid) return {what, Health::good, fmt::format("vm-patch (uid {})", account->uid)};
  return {what, Health::warning,
          fmt::format("uid {}, which processes of other programs may share; make an account for vm-patch: systemd-sysusers, or "
                      "useradd --system --no-create-home --shell /usr/sbin/nologin vm-patch",
                      account->uid)};
}

Finding check_confinement() {
  const std::string what = "appliance worker";
  const auto missing = guest::missing_confinement();
  if (!missing) return {what, Health::bad, fmt::format("it cannot shut itself in: {}", missing.error().message)};
  if (!missing->empty()) {
    return {what, Health::warning,
            fmt::format("one that a guest has taken over is held back less here, for want of: {}", fmt::join(*missing, "; "))};
  }
  const bool root = ::geteuid() == 0;
  return {what, Health::good,
          root ? "an account, a root folder, processes and a network of its own for each run"
               : "a root folder, processes and a network of its own; your account, so a flaw of the kernel gives all that is yours"};
}

Finding check_landlock() {
  const std::string what = "Landlock";
  if (has_landlock()) return {what, Health::good, "readers that open files open none outside of their folder"};
  return {what, Health::warning,
          "this kernel has none: a reader of rpm databases that was taken over may open any file of its account; boot a kernel from "
          "5.13 with landlock in the list of security modules (lsm=)"};
}

}  // namespace vmpatch::cli
