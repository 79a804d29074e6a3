#pragma once
// What verified package lists offer: the other half of the answer's check, made without having seen a guest.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "repository/store.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// Views into the text that Offers holds.
struct Offer {
  std::string_view name, arch, version, file;
  std::uint64_t size = 0;
  Digest sha256{};
  std::string_view source, source_version;
};

/// The packages of one list.
class Offers {
 public:
  /// From the cache (HEX.offers beside the list), else by vm-patch-apt, which is confined and sees nothing else. Errors: failed, untrusted.
  static Result<Offers> load(const Store& store, const IndexFile& list);

  // A copy would look into the other's text.
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;
  Offers(Offers&&) noexcept = default;
  Offers& operator=(Offers&&) noexcept = default;
  ~Offers() = default;

  /// Every version of a package, for any architecture.
  [[nodiscard]] Result<std::vector<Offer>> find(std::string_view name) const;

 private:
  explicit Offers(std::string text);
  std::string text_;
  std::vector<std::string_view> lines_;  ///< by name
};

/// Lists as they are asked for, each read once. For several threads at once.
class AllOffers {
 public:
  /// `store` outlives it.
  explicit AllOffers(const Store& store) : store_(store) {}
  /// It lives as long as this object. Errors: those of Offers::load().
  Result<const Offers*> of(const IndexFile& list);

 private:
  const Store& store_;
  std::mutex mutex_;
  std::map<Digest, std::unique_ptr<const Offers>> loaded_;
};

}  // namespace vmpatch::repository::apt
