#include "support/tls_identity.hpp"

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
using File = std::unique_ptr<std::FILE, Free<std::fclose>>;

void require(bool good) {
  if (!good) std::abort();
}

}  // namespace

void make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  require(key && certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  require(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) == 1);
  require(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600) != nullptr);
  require(X509_set_pubkey(certificate.get(), key.get()) == 1);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* bytes = reinterpret_cast<const unsigned char*>(common_name.data());
  require(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, bytes, static_cast<int>(common_name.size()), -1, 0) == 1);
  require(X509_set_issuer_name(certificate.get(), name) == 1);
  if (!alternative.empty()) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str()));
    require(extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1);
  }
  require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  const File out(std::fopen(file.c_str(), "we"));
  require(out && PEM_write_X509(out.get(), certificate.get()) == 1);
  require(PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::filesystem::permissions(file, std::filesystem::perms(0644));
}

}  // namespace vmpatch::test
