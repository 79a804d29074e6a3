#include "repository/apt/offers.hpp"

#include <algorithm>
#include <charconv>

#include "repository/apt/program.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::string_view schema = "vm-patch/offers/v1";
constexpr std::uint64_t max_text = 256U << 20U;
constexpr std::size_t columns = 9;  ///< index.hpp

fs::path cache_file(const Store& store, const IndexFile& list) { return store.files() / (list.sha256.hex() + ".offers"); }

std::string first_line(std::string_view rest) { return fmt::format("{} {}\n", schema, sha256(rest).hex()); }

/// Nothing when it is not there, damaged, or of another version.
std::optional<std::string> look_up(const Store& store, const IndexFile& list) {
  auto text = read_file(cache_file(store, list), max_text);
  if (!text) return std::nullopt;
  const auto end = text->find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(*text).substr(end + 1);
  if (text->substr(0, end + 1) != first_line(rest)) return std::nullopt;
  return text->substr(end + 1);
}

Result<Offer> parse(std::string_view line) {
  const auto parts = split(line, '\t');
  if (parts.size() != columns) return fail(Errc::failed, "a package list has a line of {} columns", parts.size());
  Offer offer{parts[0], parts[1], parts[2], parts[3], 0, {}, parts[6], parts[7]};
  const auto [end, error] = std::from_chars(parts[4].data(), parts[4].data() + parts[4].size(), offer.size);
  const auto digest = Digest::parse(parts[5]);
  if (error != std::errc() || end != parts[4].data() + parts[4].size() || !digest) {
    return fail(Errc::untrusted, "package {} {} has no size or no SHA-256 in its list", escape_untrusted(offer.name), escape_untrusted(offer.version));
  }
  offer.sha256 = *digest;
  return offer;
}

std::string_view name_of(std::string_view line) { return line.substr(0, line.find('\t')); }

}  // namespace

Offers::Offers(std::string text) : text_(std::move(text)) {
  for (const auto line : split(text_, '\n')) {
    if (!line.empty() && line.front() != '#') lines_.push_back(line);
  }
  std::stable_sort(lines_.begin(), lines_.end(), [](std::string_view a, std::string_view b) { return name_of(a) < name_of(b); });
}

Result<Offers> Offers::load(const Store& store, const IndexFile& list) {
  if (auto cached = look_up(store, list)) return Offers(std::move(*cached));
  VMPATCH_TRY(const fs::path path, store.open_file(list));
  VMPATCH_TRY(std::string text, run_program({"index", path.string()}, "/", fresh_credentials()));
  // Without the cache everything works, only slower.
  static_cast<void>(write_file_atomic(cache_file(store, list), first_line(text) + text, 0644).has_value());
  return Offers(std::move(text));
}

Result<std::vector<Offer>> Offers::find(std::string_view name) const {
  std::vector<Offer> all;
  auto line = std::partition_point(lines_.begin(), lines_.end(), [&](std::string_view one) { return name_of(one) < name; });
  for (; line != lines_.end() && name_of(*line) == name; ++line) {
    VMPATCH_TRY(const Offer offer, parse(*line));
    all.push_back(offer);
  }
  return all;
}

Result<const Offers*> AllOffers::of(const IndexFile& list) {
  const std::lock_guard lock(mutex_);
  auto& loaded = loaded_[list.sha256];
  if (!loaded) {
    VMPATCH_TRY(Offers offers, Offers::load(store_, list));
    loaded = std::make_unique<const Offers>(std::move(offers));
  }
  return loaded.get();
}

}  // namespace vmpatch::repository::apt
