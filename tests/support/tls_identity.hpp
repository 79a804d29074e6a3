#pragma once
// What TLS servers and clients show, made for a test.

#include <cstdlib>
#include <filesystem>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace vmpatch::test {

/// A key and a certificate signed by itself, both in `file`, readable by all. `common_name` may hold any bytes; `alternative` is
/// a subjectAltName as openssl-x509v3_config(5) writes it, "" for none. Ends the test program when OpenSSL fails.
void make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative);

/// Signs identities of others.
class Authority {
 public:
  explicit Authority(const std::string& name);
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority();
  /// Its certificate.
  [[nodiscard]] std::string pem() const;
  /// As above, signed by this authority.
  void make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative) const;

 private:
  evp_pkey_st* key_;
  x509_st* certificate_;
};

/// The authority of https, for as long as this lives.
class TrustedAuthority {
 public:
  explicit TrustedAuthority(const std::filesystem::path& file) { ::setenv("SSL_CERT_FILE", file.c_str(), 1); }
  TrustedAuthority(const TrustedAuthority&) = delete;
  TrustedAuthority& operator=(const TrustedAuthority&) = delete;
  ~TrustedAuthority() { ::unsetenv("SSL_CERT_FILE"); }
};

}  // namespace vmpatch::test
