// Any bytes as an envelope: an error, or an envelope that reads back; nothing verifies under a key that signed nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmpatch/trust/keyring.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  static const trust::Keyring keyring = [] {
    trust::Keyring made;
    auto key = trust::PrivateKey::generate(trust::KeyType::ed25519);
    if (!key) std::abort();
    trust::TrustedKey entry;
    entry.key = std::make_shared<const trust::PublicKey>(std::move(*key->public_key()));
    entry.role = "author";
    made.keys.push_back(std::move(entry));
    return made;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto envelope = trust::parse_envelope(text, "input");
  if (!envelope) {
    if (envelope.error().code != Errc::untrusted) std::abort();
    return 0;
  }
  const auto again = trust::parse_envelope(trust::write_envelope(*envelope), "written");
  if (!again || again->payload != envelope->payload || again->signatures.size() != envelope->signatures.size())
    std::abort();
  for (auto& signature : envelope->signatures) signature.key_id = keyring.keys[0].key->id();
  if (trust::Verifier(keyring, Time{}).verify(*envelope, envelope->payload_type, "input")) std::abort();
  return 0;
}
