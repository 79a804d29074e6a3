#include "trust/openssl/pkey.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
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

namespace {

using NumberPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using ParamBuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;

struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

Error cannot_encode() { return fail(Errc::failed, "encoding a public key: {}", openssl_reason()); }

Result<NumberPtr> number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return cannot_encode();
  return NumberPtr(number);
}

Result<std::string> encode(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return cannot_encode();
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return bytes;
}

/// The same key with nothing that its owner may choose: from its numbers alone.
Result<PkeyPtr> make_rsa(EVP_PKEY* key) {
  VMPATCH_TRY(const NumberPtr n, number_of(key, OSSL_PKEY_PARAM_RSA_N));
  VMPATCH_TRY(const NumberPtr e, number_of(key, OSSL_PKEY_PARAM_RSA_E));
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  if (!builder || !context || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return cannot_encode();
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  EVP_PKEY* made = nullptr;
  if (!params || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return cannot_encode();
  return PkeyPtr(made);
}

/// SubjectPublicKeyInfo of a P-256 key (RFC 5480): named curve, uncompressed point.
Result<std::string> encode_p256(EVP_PKEY* key) {
  constexpr unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
  constexpr int coordinate = 32;
  std::string der(reinterpret_cast<const char*>(head), sizeof head);
  for (const char* name : {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y}) {
    VMPATCH_TRY(const NumberPtr number, number_of(key, name));
    unsigned char bytes[coordinate] = {};
    if (BN_bn2binpad(number.get(), bytes, coordinate) != coordinate) return cannot_encode();
    der.append(reinterpret_cast<const char*>(bytes), coordinate);
  }
  return der;
}

Result<std::string> canonical_der(EVP_PKEY* key, KeyType type) {
  switch (type) {
    case KeyType::ed25519: return encode(key);  // there is one form only (RFC 8410)
    case KeyType::ecdsa_p256: return encode_p256(key);
    case KeyType::rsa_pss: {
      VMPATCH_TRY(const PkeyPtr plain, make_rsa(key));
      return encode(plain.get());
    }
  }
  return make_error(Errc::failed, "encoding a public key: its type is not known");
}

}  // namespace

Result<std::string> secret_of(EVP_PKEY* key, KeyType type, const std::string& id) {
  if (type != KeyType::rsa_pss) return id;
  VMPATCH_TRY(const NumberPtr n, number_of(key, OSSL_PKEY_PARAM_RSA_N));
  const std::unique_ptr<char, FreeText> hex(BN_bn2hex(n.get()));
  if (!hex) return cannot_encode();
  return std::string(hex.get());
}

Result<std::string> key_id_of(EVP_PKEY* key) {
  VMPATCH_TRY(const KeyType type, check_key_type(key, "of a signer"));
  VMPATCH_TRY(const std::string der, canonical_der(key, type));
  return sha256(der).hex();
}

Result<X509Ptr> first_certificate(std::string_view pem, std::string_view name) {
  VMPATCH_TRY(const BioPtr bio, memory_bio(pem));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(Errc::untrusted, "{}: not a readable PEM certificate ({})", name, openssl_reason());
  return certificate;
}

}  // namespace vmpatch::trust
