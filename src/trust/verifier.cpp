#include <algorithm>

#include "trust/openssl/certificate.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::trust {
namespace {

/// Nothing may speak against any entry of the key.
Result<void> check_entry(const Keyring& keyring, Time now, const TrustedKey& entry) {
  if (entry.revoked)  // at whatever time: a clock that goes back gives nothing back
    return fail(Errc::untrusted, "revoked on {} ({}); have its author sign it with a key that is valid", format_time(*entry.revoked),
                entry.revoked_reason.empty() ? "no reason given" : escape_untrusted(entry.revoked_reason));
  if (entry.expires && now >= *entry.expires)
    return fail(Errc::untrusted, "the key expired on {}; have its author sign it with a key that is valid", format_time(*entry.expires));
  if (entry.certificate_pem.empty()) return {};
  return check_certificate(entry.certificate_pem, entry.key->id(), keyring.authorities_pem, keyring.crls_pem, now);
}

/// The entry that may vouch for this signature, or why there is none.
Result<const TrustedKey*> check_signature(const Keyring& keyring, Time now, const Envelope::Signature& signature,
                                          std::string_view signed_text) {
  const auto named = std::find_if(keyring.keys.begin(), keyring.keys.end(),
                                  [&](const TrustedKey& k) { return k.key && k.key->id() == signature.key_id; });
  if (named == keyring.keys.end()) return make_error(Errc::untrusted, "unknown key; trust it with vm-patch key trust");
  const TrustedKey* entry = nullptr;
  for (const auto& candidate : keyring.keys) {
    if (!candidate.key || !candidate.key->shares_secret_with(*named->key)) continue;
    VMPATCH_CHECK(check_entry(keyring, now, candidate));
    // Its signature is made with the key that it names, its role is that of the secret.
    if (entry == nullptr || (candidate.role == "author" && entry->role != "author")) entry = &candidate;
  }
  if (!named->key->verify_signature(signed_text, signature.signature))
    return make_error(Errc::untrusted, "wrong signature; the document was changed after signing, get the bundle again");
  return entry;
}

std::string describe_key(const Keyring& keyring, const std::string& key_id) {
  auto text = key_id.empty() ? std::string("(no key id)") : escape_untrusted(std::string_view(key_id).substr(0, 16));
  for (const auto& entry : keyring.keys)
    if (entry.key && entry.key->id() == key_id && !entry.name.empty())
      return fmt::format("{} ({})", text, escape_untrusted(entry.name));
  return text;
}

}  // namespace

Result<Verified<std::string>> Verifier::verify(const Envelope& envelope, std::string_view payload_type,
                                               std::string_view name) const {
  if (keyring_.keys.empty())
    return fail(Errc::untrusted, "{}: no key is trusted; add one with vm-patch key trust FILE.pub --role author", name);
  if (envelope.payload_type != payload_type)
    return fail(Errc::untrusted, "{}: payload type is '{}', but '{}' is needed", name,
                escape_untrusted(envelope.payload_type), payload_type);
  if (envelope.signatures.empty())
    return fail(Errc::untrusted, "{}: unsigned; sign it with vm-patch recipe sign", name);

  const auto signed_text = pre_authentication_encoding(envelope.payload_type, envelope.payload);
  std::vector<Signer> signers;
  std::vector<const PublicKey*> seen;
  std::map<std::string, unsigned> have;
  std::string problems;
  unsigned number = 0;
  for (const auto& signature : envelope.signatures) {
    ++number;
    auto entry = check_signature(keyring_, now_, signature, signed_text);
    const bool again = entry && std::any_of(seen.begin(), seen.end(), [&](const auto* key) { return key->shares_secret_with(*(*entry)->key); });
    if (entry) seen.push_back((*entry)->key.get());
    if (again)
      entry = make_error(Errc::untrusted, "the same key signed before; it counts once");
    if (!entry) {
      problems += fmt::format("; signature {} by key {}: {}", number, describe_key(keyring_, signature.key_id),
                              entry.error().message);
      continue;
    }
    ++have[(*entry)->role];
    signers.push_back({signature.key_id, (*entry)->role, (*entry)->name});
  }

  bool any_threshold = false;
  std::string missing;
  for (const auto& [role, need] : keyring_.thresholds) {
    if (role == refresher_role) continue;  // it stands for itself
    any_threshold = any_threshold || need > 0;
    if (have[role] < need)
      missing += fmt::format("{}{} of {} valid {} signatures", missing.empty() ? "" : ", ", have[role], need,
                             escape_untrusted(role));
  }
  if (!any_threshold) return fail(Errc::untrusted, "{}: the trust file requires no signature of any role", name);
  const bool made_by_machine = !missing.empty() && have[std::string(refresher_role)] > 0;
  if (!missing.empty() && !made_by_machine) return fail(Errc::untrusted, "{}: not trusted: has {} (more sign it with vm-patch recipe sign){}", name, missing, problems);
  return Verified<std::string>(envelope.payload, std::move(signers), made_by_machine);
}

}  // namespace vmpatch::trust
