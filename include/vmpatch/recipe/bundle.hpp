#pragma once
// A bundle (*.vmpatch): one uncompressed pax tar with "recipe.dsse.json" first and then "payloads/<sha256>" in the order of
// the recipe. The store keeps payloads and
// envelopes by digest.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/recipe/recipe.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::recipe {

namespace fs = std::filesystem;

/// Content-addressed: DIR/sha256/<first 2 digits>/<64 digits>, files 0444.
class PayloadStore {
 public:
  static Result<PayloadStore> open(const fs::path& dir);
  /// A descriptor whose content was hashed just now through that very descriptor; size and digest must be the payload's.
  /// not_found when absent, untrusted when the content does not hold (the bad file is set aside as *.bad).
  [[nodiscard]] Result<UniqueFd> open_verified(const Payload& payload) const;
  [[nodiscard]] bool has(const Payload& payload) const;
  /// Copies size bytes of `read` into the store, hashing; wrong digest or size is Errc::untrusted and leaves nothing.
  using Reader = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;
  Result<void> add(const Payload& payload, const Reader& read);
  [[nodiscard]] const fs::path& dir() const { return dir_; }

  /// Keeps the envelope of a recipe that was verified, by the digest of its bytes: DIR/recipes/<first 2 digits>/<64 digits>.dsse.json. It
  /// appears whole or not at all, in place of one that was there.
  Result<void> keep_envelope(const Digest& recipe, const trust::Envelope& envelope);
  /// A kept recipe, verified again as a bundle's is: signatures by this keyring at this time, expiry, and exactly this digest. not_found when
  /// it is not kept, untrusted when it does not hold any more.
  [[nodiscard]] Result<TrustedRecipe> load_kept(const Digest& recipe, const trust::Keyring& keyring, Time now) const;

 private:
  explicit PayloadStore(fs::path dir) : dir_(std::move(dir)) {}
  fs::path dir_;
};

/// Reads a bundle: envelope, verification, parsing, then every payload and the envelope into the store, bounded by the sizes of the
/// recipe. Extra, missing, duplicate or misnamed members are Errc::untrusted, and so is a recipe that only a refresher signed.
Result<TrustedRecipe> load_bundle(const fs::path& bundle, const trust::Keyring& keyring, Time now, PayloadStore& store);
/// The same for a recipe whose payloads are in the store already; `name` is for messages. The envelope is kept.
Result<TrustedRecipe> admit_envelope(const trust::Envelope& envelope, const trust::Keyring& keyring, Time now, PayloadStore& store, const std::string& name);
/// The same without a store (recipe verify): payloads are hashed and dropped.
Result<TrustedRecipe> verify_bundle(const fs::path& bundle, const trust::Keyring& keyring, Time now);
/// The envelope only (show, sign).
Result<trust::Envelope> read_bundle_envelope(const fs::path& bundle);

/// Writes a bundle from signed recipe bytes; payloads are looked for by name in `payload_dirs` and checked. Atomic.
Result<void> write_bundle(const fs::path& bundle, const trust::Envelope& envelope, const Recipe& recipe,
                          const std::vector<fs::path>& payload_dirs);
/// Adds one signature to an existing bundle. Atomic.
Result<void> sign_bundle(const fs::path& bundle, const trust::PrivateKey& key);

}  // namespace vmpatch::recipe
