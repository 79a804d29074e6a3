#pragma once
// The key that signs this host's attestations, and those that ever did.

#include "vmpatch/engine/environment.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::engine {

/// The private key at run_places.attestation_key; at its default place it is made when this host has never signed. Its public half is kept in
/// KEYS/signers/<id>.pub from before its first signature on, so that what it signed can be verified after another key took its place.
/// Errors: not_found; refused when others can read it, it belongs to another user, or it was taken away; those of trust::PrivateKey::load.
Result<trust::PrivateKey> load_attestation_key(const RunPlaces& places);

/// For what will sign at its end: the same errors, before anything is done.
Result<void> check_attestation_key(const RunPlaces& places);

/// The public keys that ever signed here, of KEYS. Errors: not_found when there is none, untrusted for a file that is not the key that its
/// name says. Who wants a key's attestations to be accepted no longer removes its file.
Result<trust::Keyring> load_attestation_keyring(const fs::path& keys);

}  // namespace vmpatch::engine
