#pragma once
// What the fuzz targets of feeds share: any bytes as a feed, then a machine matched against it.

#include <cstdlib>
#include <string_view>

#include "advisory/match.hpp"
#include "advisory/store.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/guest/versions.hpp"

namespace vmpatch::advisory::fuzz {

inline guest::Facts machine() {
  guest::Facts facts;
  facts.os = {"debian", "12", "", "bookworm"};
  facts.package_manager = "dpkg";
  guest::Package package;
  package.name = "libssl3";
  package.source = "openssl";
  package.version = package.source_version = "3.0.9-1";
  package.arch = "amd64";
  package.status = "install ok installed";
  facts.packages = {package};
  return facts;
}

/// A store that knows one vulnerability already.
inline Store store() {
  Interest interest;
  interest.everything = true;
  Store result(std::move(interest));
  result.cover({Distribution::debian, "12"});
  Statement statement;
  statement.advisory = result.vulnerabilities({"CVE-2023-5363", {"CVE-2023-5363"}, {}}).front();
  statement.claim = Claim::open;
  statement.distribution = Distribution::debian;
  result.add("openssl", statement);
  return result;
}

/// Aborts where a promise of match() does not hold.
inline void check(Store& store) {
  store.finish();
  const auto found = match_packages(store, machine());
  if (!found) std::abort();
  std::string_view last;
  for (const auto& finding : *found) {
    if (finding.advisory == nullptr || finding.advisory->id < last || finding.package != "openssl" || finding.binaries.size() != 1) std::abort();
    last = finding.advisory->id;
    if ((finding.status == Status::affected_fixed) == finding.fixed.empty()) std::abort();
    if (!finding.fixed.empty() && guest::compare_versions(guest::VersionScheme::deb, finding.fixed, finding.installed) <= 0) std::abort();
    if (finding.reason.empty() || finding.sources.empty()) std::abort();
    if (dump_json(to_json(finding)).empty()) std::abort();
  }
}

/// `load` reads the bytes into the intake.
template <class Load>
int run(const std::uint8_t* data, std::size_t size, const Load& load) {
  Store filled = store();
  FeedState state;
  Intake intake{filled, state};
  load(std::string_view(reinterpret_cast<const char*>(data), size), intake);
  if (state.relevant > state.records || state.problems.size() > 20) std::abort();
  check(filled);
  return 0;
}

}  // namespace vmpatch::advisory::fuzz
