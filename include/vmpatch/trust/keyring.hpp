#pragma once
// Who may sign what, and the verification of DSSE envelopes (https://github.com/secure-systems-lab/dsse, envelope.md).

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/trust/keys.hpp"
#include "vmpatch/trust/verified.hpp"

namespace vmpatch::trust {

/// The role of a host's own key, with which a refresh signs the recipes that it makes of verified repositories. Where no author signed, one
/// such signature is enough for them, and for nothing else: see Verified::made_by_machine().
inline constexpr std::string_view refresher_role = "refresher";

inline constexpr std::string_view recipe_payload_type = "application/vnd.vm-patch.recipe.v1+yaml";
inline constexpr std::string_view attestation_payload_type = "application/vnd.vm-patch.attestation.v1+json";

struct TrustedKey {
  std::shared_ptr<const PublicKey> key;
  std::string name;  ///< for people
  std::string role;  ///< author, approver, refresher
  std::optional<Time> expires;
  std::optional<Time> revoked;  ///< nothing it signed is accepted, whatever the clock says
  std::string revoked_reason;
  /// X.509 chain with purpose, validity and CRL; empty for a bare key. PEM texts as in trust.yaml.
  std::string certificate_pem;
};

/// In-memory form of trust.yaml. Reading and writing the file is recipe/trust_file.hpp, which refuses a private key that is listed twice. Should
/// one be, its signature counts once: for author when an entry says so, whichever comes first, because an approver is somebody
/// else; and the strictest of its entries (revoked, expired, certificate) holds.
struct Keyring {
  std::vector<TrustedKey> keys;
  /// Signatures needed by different keys of a role; default {"author": 1}.
  std::map<std::string, unsigned> thresholds{{"author", 1}};
  std::vector<std::string> authorities_pem;  ///< CA certificates for certificate keys
  std::vector<std::string> crls_pem;
};

/// One DSSE envelope, JSON form: payloadType, payload (base64), signatures[{keyid, sig}].
struct Envelope {
  std::string payload_type;
  std::string payload;
  struct Signature {
    std::string key_id;
    std::string signature;
  };
  std::vector<Signature> signatures;
};
/// Strict: unknown or missing members, bad base64, more than 32 signatures, more than 16 MiB are Errc::untrusted.
Result<Envelope> parse_envelope(std::string_view json, std::string_view name);
std::string write_envelope(const Envelope& envelope);
/// DSSE pre-authentication encoding of type and payload.
std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload);
/// Adds a signature; the same key twice is Errc::refused.
Result<void> add_signature(Envelope& envelope, const PrivateKey& key);

class Verifier {
 public:
  Verifier(const Keyring& keyring, Time now) : keyring_(keyring), now_(now) {}

  /// The payload, if its type is `payload_type` and every role's threshold is met by valid signatures of different,
  /// unexpired, unrevoked keys. All else is Errc::untrusted, and the message says which signature failed and why:
  /// empty keyring, unsigned, unknown key, wrong signature, expired, revoked, wrong purpose, same key twice,
  /// below threshold (have/need by role), wrong payload type.
  [[nodiscard]] Result<Verified<std::string>> verify(const Envelope& envelope, std::string_view payload_type,
                                                     std::string_view name) const;

 private:
  const Keyring& keyring_;
  Time now_;
};

}  // namespace vmpatch::trust
