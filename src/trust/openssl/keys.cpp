#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include <cerrno>

#include "trust/openssl/pkey.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::trust {

struct PublicKey::State {
  PkeyPtr key;
  KeyType type = KeyType::ed25519;
  std::string id;
  std::string secret;  ///< names the private key
};

struct PrivateKey::State {
  PkeyPtr key;
  KeyType type = KeyType::ed25519;
};

namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Ed25519 hashes by itself (RFC 8032); OpenSSL wants no digest named then.
const EVP_MD* digest_for(KeyType type) { return type == KeyType::ed25519 ? nullptr : EVP_sha256(); }

bool set_pss(KeyType type, EVP_PKEY_CTX* context) {
  if (type != KeyType::rsa_pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

// Without this OpenSSL would ask for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

Result<PkeyPtr> generate_pkey(KeyType type) {
  EVP_PKEY* key = nullptr;
  switch (type) {
    case KeyType::ed25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
    case KeyType::ecdsa_p256:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
      break;
    case KeyType::rsa_pss:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{3072});
      break;
  }
  if (key == nullptr) return fail(Errc::failed, "generating a key of type {}: {}", to_string(type), openssl_reason());
  return PkeyPtr(key);
}

}  // namespace

PublicKey::PublicKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
PublicKey::PublicKey(PublicKey&&) noexcept = default;
PublicKey& PublicKey::operator=(PublicKey&&) noexcept = default;
PublicKey::~PublicKey() = default;

Result<PublicKey> PublicKey::from_pem(std::string_view pem, std::string_view name) {
  auto state = std::make_unique<State>();
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return fail(Errc::untrusted, "key {}: this is a private key; give the public one (FILE.pub)", name);
  if (pem.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos) {
    VMPATCH_TRY(const X509Ptr certificate, first_certificate(pem, name));
    state->key.reset(X509_get_pubkey(certificate.get()));
  } else {
    VMPATCH_TRY(const BioPtr bio, memory_bio(pem));
    state->key.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
  }
  if (!state->key)
    return fail(Errc::untrusted, "key {}: not a PEM public key or certificate ({})", name, openssl_reason());
  VMPATCH_TRY(state->type, check_key_type(state->key.get(), name));
  VMPATCH_TRY(state->id, key_id_of(state->key.get()));
  VMPATCH_TRY(state->secret, secret_of(state->key.get(), state->type, state->id));
  return PublicKey(std::move(state));
}

const std::string& PublicKey::id() const { return state_->id; }
bool PublicKey::shares_secret_with(const PublicKey& other) const { return state_->secret == other.state_->secret; }
KeyType PublicKey::type() const { return state_->type; }

std::string PublicKey::pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), state_->key.get()) != 1) return {};
  return bio_text(bio.get());
}

Result<void> PublicKey::verify_signature(std::string_view message, std::string_view signature) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  if (!context ||
      EVP_DigestVerifyInit(context.get(), &key_context, digest_for(state_->type), nullptr, state_->key.get()) != 1 ||
      !set_pss(state_->type, key_context))
    return fail(Errc::untrusted, "key {}: cannot be used to verify ({})", state_->id, openssl_reason());
  const int verdict =
      EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size());
  ERR_clear_error();
  if (verdict != 1) return fail(Errc::untrusted, "key {}: the signature does not hold", state_->id);
  return {};
}

PrivateKey::PrivateKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  auto state = std::make_unique<State>();
  VMPATCH_TRY(state->key, generate_pkey(type));
  state->type = type;
  return PrivateKey(std::move(state));
}

Result<PrivateKey> PrivateKey::load(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return errno_error(errno, fmt::format("opening signing key {}", path.string()));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, fmt::format("signing key {}", path.string()));
  if (!S_ISREG(status.st_mode)) return fail(Errc::refused, "signing key {}: not a regular file", path.string());
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Errc::refused, "signing key {}: mode {:04o} lets others use it; run: chmod 600 {}", path.string(),
                status.st_mode & 07777U, path.string());
  VMPATCH_TRY(std::string pem, read_fd(file.get(), 64U << 10U, path.string()));
  auto state = std::make_unique<State>();
  VMPATCH_TRY(const BioPtr bio, memory_bio(pem));
  state->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  const bool encrypted = pem.find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!state->key && encrypted) {
    ERR_clear_error();
    return fail(Errc::unsupported, "signing key {}: encrypted keys are not read; decrypt it with openssl pkey first",
                path.string());
  }
  if (!state->key)
    return fail(Errc::failed, "signing key {}: not a PEM private key ({})", path.string(), openssl_reason());
  VMPATCH_TRY(state->type, check_key_type(state->key.get(), path.string()));
  return PrivateKey(std::move(state));
}

Result<PublicKey> PrivateKey::public_key() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), state_->key.get()) != 1)
    return fail(Errc::failed, "encoding a public key: {}", openssl_reason());
  return PublicKey::from_pem(bio_text(bio.get()), "of this private key");
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  if (!context ||
      EVP_DigestSignInit(context.get(), &key_context, digest_for(state_->type), nullptr, state_->key.get()) != 1 ||
      !set_pss(state_->type, key_context))
    return fail(Errc::failed, "signing: the key cannot be used ({})", openssl_reason());
  std::size_t length = 0;
  if (EVP_DigestSign(context.get(), nullptr, &length, bytes_of(message), message.size()) != 1)
    return fail(Errc::failed, "signing: {}", openssl_reason());
  std::string signature(length, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length, bytes_of(message),
                     message.size()) != 1)
    return fail(Errc::failed, "signing: {}", openssl_reason());
  signature.resize(length);
  return signature;
}

std::string PrivateKey::pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return {};
  return bio_text(bio.get());
}

}  // namespace vmpatch::trust
