#include "support/tls_identity.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace vmpatch::test {
namespace {

template <auto free>
struct Free {
  template <class Value>
  void operator()(Value* value) const { free(value); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using File = std::unique_ptr<std::FILE, Free<std::fclose>>;

void require(bool good) {
  if (!good) std::abort();
}

void set_key_and_time(X509* certificate, EVP_PKEY* key) {
  require(X509_set_version(certificate, X509_VERSION_3) == 1);
  require(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
  require(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != nullptr);
  require(X509_set_pubkey(certificate, key) == 1);
}

void add_extension(X509* certificate, int which, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, which, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void name_it(X509* certificate, const std::string& common_name) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(common_name.data());
  require(X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8, bytes, static_cast<int>(common_name.size()), -1, 0) == 1);
}

void write(const std::filesystem::path& file, X509* certificate, EVP_PKEY* key) {
  const File out(std::fopen(file.c_str(), "we"));
  require(out && PEM_write_X509(out.get(), certificate) == 1);
  require(PEM_write_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::filesystem::permissions(file, std::filesystem::perms(0644));
}

/// Signed by `issuer` with its key, or by itself.
void make_leaf(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative, X509* issuer, EVP_PKEY* signer) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  require(key && certificate);
  set_key_and_time(certificate.get(), key.get());
  name_it(certificate.get(), common_name);
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer != nullptr ? issuer : certificate.get())) == 1);
  if (!alternative.empty()) add_extension(certificate.get(), NID_subject_alt_name, alternative);
  require(X509_sign(certificate.get(), signer != nullptr ? signer : key.get(), EVP_sha256()) > 0);
  write(file, certificate.get(), key.get());
}

}  // namespace

void make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative) {
  make_leaf(file, common_name, alternative, nullptr, nullptr);
}

Authority::Authority(const std::string& name) : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
  require(key_ != nullptr && certificate_ != nullptr);
  set_key_and_time(certificate_, key_);
  name_it(certificate_, name);
  require(X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_)) == 1);
  add_extension(certificate_, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(certificate_, key_, EVP_sha256()) > 0);
}

Authority::~Authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

std::string Authority::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(bio && PEM_write_bio_X509(bio.get(), certificate_) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void Authority::make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative) const {
  make_leaf(file, common_name, alternative, certificate_, key_);
}

}  // namespace vmpatch::test
