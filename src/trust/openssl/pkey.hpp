#pragma once
// OpenSSL handles of this adapter, and what keys and certificates share.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "vmpatch/trust/keys.hpp"

namespace vmpatch::trust {

template <auto Fn>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    Fn(pointer);
  }
};

using PkeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;

/// The reason on top of OpenSSL's error queue, which is emptied.
std::string openssl_reason();

/// A read-only memory BIO over `text`, which must outlive it.
Result<BioPtr> memory_bio(std::string_view text);
/// Everything that was written to a memory BIO.
std::string bio_text(BIO* bio);

/// The supported type of a key; Errc::untrusted for other algorithms, curves and RSA below 2048 bits.
Result<KeyType> check_key_type(EVP_PKEY* key, std::string_view name);

/// PublicKey::id(). Errors of check_key_type().
Result<std::string> key_id_of(EVP_PKEY* key);

/// What is the same for all public keys of one private key: the modulus of an RSA key, else the id.
Result<std::string> secret_of(EVP_PKEY* key, KeyType type, const std::string& id);

/// The first certificate of a PEM text.
Result<X509Ptr> first_certificate(std::string_view pem, std::string_view name);

}  // namespace vmpatch::trust
