#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "ledger/audit.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

std::string user_name(uid_t uid) {
  // Asking NSS costs a millisecond, which the gate does not have.
  if (uid == 0) return "root";
  std::vector<char> buffer(16U << 10U);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return "user";
}

}  // namespace

std::string actor() {
  const uid_t uid = ::getuid();
  const std::string self = fmt::format("{} ({})", user_name(uid), uid);
  // Only root can be believed about who called sudo.
  const char* sudo_user = uid == 0 ? std::getenv("SUDO_USER") : nullptr;
  const char* sudo_uid = uid == 0 ? std::getenv("SUDO_UID") : nullptr;
  if (sudo_user == nullptr || *sudo_user == '\0') return self;
  return fmt::format("{} ({}) as {}", escape_untrusted(sudo_user), sudo_uid == nullptr ? "?" : escape_untrusted(sudo_uid), self);
}

}  // namespace vmpatch::ledger
