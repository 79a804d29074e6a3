#pragma once
// Signing keys: Ed25519, ECDSA P-256 with SHA-256, RSA-PSS (at least 2048 bits, SHA-256), through OpenSSL.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::trust {

namespace fs = std::filesystem;

enum class KeyType { ed25519, ecdsa_p256, rsa_pss };
std::string_view to_string(KeyType type);
Result<KeyType> parse_key_type(std::string_view text);

/// A public key, bare or in an X.509 certificate.
class PublicKey {
 public:
  /// PEM "PUBLIC KEY" (SubjectPublicKeyInfo) or "CERTIFICATE" (then the certificate's key). Errc::untrusted otherwise.
  static Result<PublicKey> from_pem(std::string_view pem, std::string_view name);
  PublicKey(PublicKey&&) noexcept;
  PublicKey& operator=(PublicKey&&) noexcept;
  ~PublicKey();
  /// sha256 of the key's canonical SubjectPublicKeyInfo DER, 64 hex digits: named curve and uncompressed point, RSA as rsaEncryption.
  /// One key has one id, in whatever form it came; for keys in the usual form it is what openssl pkey -pubout -outform DER | sha256sum says.
  [[nodiscard]] const std::string& id() const;
  /// Whether one private key makes the signatures of both: the same id, or RSA with one modulus and two public exponents, whose factors are
  /// one secret.
  [[nodiscard]] bool shares_secret_with(const PublicKey& other) const;
  [[nodiscard]] KeyType type() const;
  [[nodiscard]] std::string pem() const;
  /// Errc::untrusted when the signature does not hold.
  [[nodiscard]] Result<void> verify_signature(std::string_view message, std::string_view signature) const;
  struct State;

 private:
  explicit PublicKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyType type);
  /// PEM "PRIVATE KEY". A file that group or others can read is Errc::refused.
  static Result<PrivateKey> load(const fs::path& path);
  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();
  [[nodiscard]] Result<PublicKey> public_key() const;
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;
  [[nodiscard]] std::string pem() const;
  struct State;

 private:
  explicit PrivateKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmpatch::trust
