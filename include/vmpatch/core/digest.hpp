#pragma once
// SHA-256 (FIPS 180-4), and MD5 where others use it, through OpenSSL.

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  /// 64 lower-case hex digits.
  [[nodiscard]] std::string hex() const;
  /// Accepts exactly 64 hex digits; anything else is Errc::failed.
  static Result<Digest> parse(std::string_view hex);
  auto operator<=>(const Digest&) const = default;
};

/// Incremental hash.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  /// Call once.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Digest sha256(std::string_view bytes);

/// MD5 (RFC 1321), for lists of others that hold nothing better: it tells damage, not forgery.
struct Md5Digest {
  std::array<std::uint8_t, 16> bytes{};

  /// Accepts exactly 32 hex digits; anything else is Errc::failed.
  static Result<Md5Digest> parse(std::string_view hex);
  auto operator<=>(const Md5Digest&) const = default;
};

class Md5 {
 public:
  /// Errc::unsupported where OpenSSL is set up without MD5.
  static Result<Md5> make();
  ~Md5();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;
  void update(std::string_view bytes);
  /// Call once.
  [[nodiscard]] Md5Digest finish();

 private:
  struct State;
  explicit Md5(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Hash of the whole file behind `fd`, by pread from offset 0. A file longer than `max_bytes` is Errc::failed.
Result<Digest> sha256_fd(int fd, std::uint64_t max_bytes);

/// Lower-case hex of any bytes, and back.
[[nodiscard]] std::string to_hex(std::string_view bytes);
Result<std::string> from_hex(std::string_view hex);

/// Standard base64 with padding (RFC 4648 §4), without line breaks. Decoding is strict: Errc::failed otherwise.
[[nodiscard]] std::string to_base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);

}  // namespace vmpatch
