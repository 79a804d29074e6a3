#pragma once
// What is asked of a server, and what it says of what it gave.

#include <chrono>
#include <cstdint>
#include <string>

namespace vmpatch::fetch {

/// What ends a download that does not get on: Errc::timeout.
struct Limits {
  std::chrono::milliseconds connect{30'000};   ///< until a connection stands, its TLS handshake included
  std::uint64_t slowest = 1024;                ///< bytes a second, over `silence`; 0 = as slow as it likes
  std::chrono::seconds silence{60};
  std::chrono::milliseconds overall{600'000};  ///< from the first question to the last byte, whatever comes meanwhile
};

/// How a server is reached; the same for all files of a repository. PEM texts are handed over, not paths: the program that downloads
/// may open no file of root's. They are in no log, no argument and no error.
struct Access {
  std::string proxy;               ///< URL (http, https, socks4, socks4a, socks5, socks5h); "" = as the environment says; "direct" = none
  std::string client_certificate;  ///< PEM, with its chain; "" = none
  std::string client_key;          ///< PEM without a passphrase; "" = it stands beside the certificate
  std::string ca;                  ///< PEM: these authorities and no others; "" = SSL_CERT_FILE, else the system's
  bool redirects = true;           ///< at most five, all to https; false: the first one is an error
  bool allow_http = false;         ///< plain http to other machines too: something else tells whether the content is right
  Limits limits{};
};

struct Request {
  std::string url;  ///< http or https, without user and password
  Access access{};
  /// Of the copy that is there, or with an offset of the part that is there; "" = not known.
  std::string etag{}, last_modified{};
  std::uint64_t offset = 0;                               ///< what lies before is there already
  std::uint64_t max_bytes = std::uint64_t{2} << 30U;      ///< of the whole file, with what lies before the offset
};

struct Reply {
  bool unchanged = false;  ///< the copy is as good as new, and nothing came
  std::string etag{}, last_modified{};  ///< as the server wrote them: foreign text
  std::uint64_t offset = 0;  ///< of the first byte that came: the one asked for, or 0 where the server began anew
  std::uint64_t size = 0;    ///< of what came
};

}  // namespace vmpatch::fetch
