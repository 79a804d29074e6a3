#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/fleet/refresh.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::fleet {

Result<trust::PrivateKey> load_refresher_key(const Invocation& invocation) {
  const fs::path path = invocation.paths.keys() / "refresher";
  auto key = trust::PrivateKey::load(path);
  if (!key && key.error().code == Errc::not_found) {
    return fail(Errc::not_found, "this host has no key to sign the recipes of a refresh: make one with 'vm-patch key generate {0}', and accept it with "
                "'vm-patch key trust {0}.pub --role refresher'", path.string());
  }
  if (!key) return key;
  VMPATCH_TRY(const auto public_key, key->public_key());
  VMPATCH_TRY(const auto keyring, recipe::load_trust_file(invocation.paths.trust));
  const bool trusted = std::any_of(keyring.keys.begin(), keyring.keys.end(), [&](const trust::TrustedKey& entry) {
    return entry.role == trust::refresher_role && entry.key && entry.key->id() == public_key.id() && !entry.revoked;
  });
  if (trusted) return key;
  return fail(Errc::untrusted, "the key {0} is not accepted for recipes of a refresh: run 'vm-patch key trust {0}.pub --role refresher'", path.string());
}

}  // namespace vmpatch::fleet
