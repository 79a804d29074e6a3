#include "trust/openssl/pkey.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::trust {

std::string openssl_reason() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? fmt::format("OpenSSL error {:#x}", code) : std::string(reason);
}

Result<BioPtr> memory_bio(std::string_view text) {
  if (text.size() > INT_MAX) return make_error(Errc::untrusted, "PEM text is too long");
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) return fail(Errc::failed, "memory BIO: {}", openssl_reason());
  return bio;
}

std::string bio_text(BIO* bio) {
  std::string text;
  char buffer[4096];
  for (int got = BIO_read(bio, buffer, sizeof buffer); got > 0; got = BIO_read(bio, buffer, sizeof buffer))
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

Result<KeyType> check_key_type(EVP_PKEY* key, std::string_view name) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyType::ed25519;
  if (EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    // An upper bound too: the cost of one verification grows with the square of the size.
    if (bits < 2048 || bits > 16384)
      return fail(Errc::untrusted, "key {}: RSA with {} bits; 2048 to 16384 are allowed", name, bits);
    return KeyType::rsa_pss;
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    char group[64] = {};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 && std::string_view(group) == "prime256v1")
      return KeyType::ecdsa_p256;
    ERR_clear_error();
    return fail(Errc::untrusted, "key {}: elliptic curve '{}' is not allowed; use P-256", name, group);
  }
  const char* algorithm = EVP_PKEY_get0_type_name(key);
  return fail(Errc::untrusted, "key {}: algorithm '{}' is not allowed; use ed25519, ecdsa-p256 or rsa-pss", name,
              algorithm == nullptr ? "unknown" : algorithm);
}

Result<std::string> key_id_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return fail(Errc::failed, "encoding a public key: {}", openssl_reason());
  std::string bytes(static_cast<std::size_t>(length), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(der[i]);
  OPENSSL_free(der);
  return sha256(bytes).hex();
}

Result<X509Ptr> first_certificate(std::string_view pem, std::string_view name) {
  VMPATCH_TRY(const BioPtr bio, memory_bio(pem));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(Errc::untrusted, "{}: not a readable PEM certificate ({})", name, openssl_reason());
  return certificate;
}

}  // namespace vmpatch::trust
