// vm-patch-proof: shuts itself in and becomes the QEMU that a machine is started in once. It is started with the caller's account.
//   vm-patch-proof UID GID KVM-GROUP QEMU ARGUMENTS…      (0 = the caller's own; no such group)
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

#include "proof/qemu/life.hpp"
#include "vmpatch/core/confine.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::proof {
namespace {

Result<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return value;
  return fail(Errc::usage, "not a number");
}

Result<void> become_qemu(char** words) {
  VMPATCH_TRY(const unsigned uid, number(words[0]));
  VMPATCH_TRY(const unsigned gid, number(words[1]));
  VMPATCH_TRY(const unsigned kvm_group, number(words[2]));
  Confinement confinement;
  if (uid != 0 && gid != 0) confinement.run_as = Credentials{uid, gid};
  if (kvm_group != 0) confinement.kvm_group = kvm_group;
  VMPATCH_TRY(const auto confined, confine(confinement, life_fd));
  for (const auto& what : confined.missing) VMPATCH_CHECK(write_all(STDERR_FILENO, fmt::format("not permitted here: {}\n", what)));
  ::execv(words[3], words + 3);
  return errno_error(errno, words[3]);
}

}  // namespace
}  // namespace vmpatch::proof

int main(int argc, char** argv) {
  using namespace vmpatch;
  if (argc < 5) return 2;
  const auto failed = proof::become_qemu(argv + 1);
  if (!failed) static_cast<void>(write_all(STDERR_FILENO, failed.error().message + "\n").has_value());
  return 126;
}
