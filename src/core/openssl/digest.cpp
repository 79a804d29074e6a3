#include "vmpatch/core/digest.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <vector>

#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// SHA-256 fails only without memory or without a provider; a digest that is not one must not leave this file.
void require(int ok) {
  if (ok != 1) std::abort();
}

const unsigned char* unsigned_bytes(const char* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
unsigned char* unsigned_bytes(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    if (context == nullptr) std::abort();
    require(EVP_DigestInit_ex(context, EVP_sha256(), nullptr));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size())); }

Digest Sha256::finish() {
  Digest digest;
  unsigned length = 0;
  require(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &length));
  require(length == digest.bytes.size() ? 1 : 0);
  return digest;
}

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Result<Digest> sha256_fd(int fd, std::uint64_t max_bytes) {
  Sha256 hash;
  std::vector<char> buffer(256U << 10U);
  std::uint64_t total = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read a file for its digest");
    if (got == 0) return hash.finish();
    total += static_cast<std::uint64_t>(got);
    if (total > max_bytes) return fail(Errc::failed, "a file is longer than the {} bytes that it may have", max_bytes);
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

struct Md5::State {
  explicit State(EVP_MD_CTX* made) : context(made) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }

  EVP_MD_CTX* context;
};

Md5::Md5(std::unique_ptr<State> state) : state_(std::move(state)) {}
Md5::~Md5() = default;
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;

Result<Md5> Md5::make() {
  auto state = std::make_unique<State>(EVP_MD_CTX_new());
  if (state->context == nullptr || EVP_DigestInit_ex(state->context, EVP_md5(), nullptr) != 1) {
    return make_error(Errc::unsupported, "this system's OpenSSL has no MD5");
  }
  return Md5(std::move(state));
}

void Md5::update(std::string_view bytes) { require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size())); }

Md5Digest Md5::finish() {
  Md5Digest digest;
  unsigned length = 0;
  require(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &length));
  require(length == digest.bytes.size() ? 1 : 0);
  return digest;
}

Result<Md5Digest> Md5Digest::parse(std::string_view hex) {
  if (hex.size() != 32) return fail(Errc::failed, "not an MD5 digest: {} characters instead of 32", hex.size());
  VMPATCH_TRY(const std::string raw, from_hex(hex));
  Md5Digest digest;
  for (std::size_t i = 0; i < raw.size(); ++i) digest.bytes[i] = static_cast<std::uint8_t>(raw[i]);
  return digest;
}

std::string Digest::hex() const { return to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}); }

Result<Digest> Digest::parse(std::string_view hex) {
  if (hex.size() != 64) return fail(Errc::failed, "not a SHA-256 digest: {} characters instead of 64", hex.size());
  VMPATCH_TRY(const std::string raw, from_hex(hex));
  Digest digest;
  for (std::size_t i = 0; i < raw.size(); ++i) digest.bytes[i] = static_cast<std::uint8_t>(raw[i]);
  return digest;
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4U];
    text += digits[byte & 0x0FU];
  }
  return text;
}

Result<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return fail(Errc::failed, "not hex: an odd number of digits ({})", hex.size());
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return fail(Errc::failed, "not hex: a wrong digit at position {}", high < 0 ? i : i + 1);
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  // EVP_EncodeBlock counts in int: pieces that are a multiple of three join without padding between them.
  constexpr std::size_t piece = 3U << 20U;
  std::string text;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const std::string_view part = bytes.substr(0, piece);
    const std::size_t begin = text.size();
    text.resize(begin + (part.size() + 2) / 3 * 4 + 1);  // with its NUL
    const int length = EVP_EncodeBlock(unsigned_bytes(text.data() + begin), unsigned_bytes(part.data()),
                                       static_cast<int>(part.size()));
    text.resize(begin + static_cast<std::size_t>(length));
  }
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0 || text.size() > INT_MAX) {
    return fail(Errc::failed, "not base64: a length of {} characters", text.size());
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(unsigned_bytes(bytes.data()), unsigned_bytes(text.data()), static_cast<int>(text.size()));
  if (length < 0) return fail(Errc::failed, "not base64: a wrong character");
  // EVP_DecodeBlock counts padding as zero bytes, skips blanks and takes stray bits; only the canonical form comes
  // back from encoding again.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(length) < padding ? 0 : static_cast<std::size_t>(length) - padding);
  if (to_base64(bytes) != text) return fail(Errc::failed, "not base64 in its canonical form");
  return bytes;
}

}  // namespace vmpatch
