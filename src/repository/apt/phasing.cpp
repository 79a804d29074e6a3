#include "repository/apt/phasing.hpp"

#include <charconv>
#include <random>

namespace vmpatch::repository::apt {
namespace {

constexpr unsigned everyone = 100;

/// Per cent of machines. What is no number counts as everyone, as in APT.
unsigned percentage(const Origins::Offer& offer, pkgRecords& records) {
  const std::string text = records.Lookup(offer.file).RecordField("Phased-Update-Percentage");
  unsigned value = everyone;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value < everyone ? value : everyone;
}

}  // namespace

bool waits_for_phase(const pkgCache::VerIterator& candidate, const Origins& origins, pkgRecords& records, const std::string& machine_id) {
  if (machine_id.empty() || origins.is_security(candidate)) return false;
  const auto offer = origins.find(candidate);
  const unsigned share = offer ? percentage(*offer, records) : everyone;
  if (share == everyone) return false;
  const std::string seed_text = std::string(candidate.SourcePkgName()) + "-" + candidate.SourceVerStr() + "-" + machine_id;
  std::seed_seq seed(seed_text.begin(), seed_text.end());
  std::minstd_rand random(seed);
  std::uniform_int_distribution<unsigned> draw(0, everyone);
  return draw(random) > share;
}

}  // namespace vmpatch::repository::apt
