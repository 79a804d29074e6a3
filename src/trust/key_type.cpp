#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/trust/keys.hpp"

namespace vmpatch::trust {

std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::ed25519:
      return "ed25519";
    case KeyType::ecdsa_p256:
      return "ecdsa-p256";
    case KeyType::rsa_pss:
      return "rsa-pss";
  }
  return "unknown";
}

Result<KeyType> parse_key_type(std::string_view text) {
  for (const auto type : {KeyType::ed25519, KeyType::ecdsa_p256, KeyType::rsa_pss})
    if (text == to_string(type)) return type;
  return fail(Errc::usage, "key type '{}' is not known; use ed25519, ecdsa-p256 or rsa-pss", escape_untrusted(text));
}

}  // namespace vmpatch::trust
