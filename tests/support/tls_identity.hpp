#pragma once
// What a TLS server shows, made for a test.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vmpatch::test {

/// A key and a certificate signed by itself, both in `file`, readable by all. `common_name` may hold any bytes; `alternative` is
/// a subjectAltName as openssl-x509v3_config(5) writes it, "" for none. Ends the test program when OpenSSL fails.
void make_identity(const std::filesystem::path& file, const std::string& common_name, const std::string& alternative);

/// The authority of https, for as long as this lives.
class TrustedAuthority {
 public:
  explicit TrustedAuthority(const std::filesystem::path& file) { ::setenv("SSL_CERT_FILE", file.c_str(), 1); }
  TrustedAuthority(const TrustedAuthority&) = delete;
  TrustedAuthority& operator=(const TrustedAuthority&) = delete;
  ~TrustedAuthority() { ::unsetenv("SSL_CERT_FILE"); }
};

}  // namespace vmpatch::test
