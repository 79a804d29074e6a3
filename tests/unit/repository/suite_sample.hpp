#pragma once

#include "vmpatch/repository/snapshot.hpp"

namespace vmpatch::repository::test {

inline Suite sample_suite() {
  Suite suite;
  suite.repository = "debian";
  suite.uri = "https://example.org/debian/";
  suite.suite = "bookworm";
  suite.components = {"main", "contrib"};
  suite.security = true;
  suite.origin = "Debian";
  suite.label = "Debian-Security";
  suite.archive = "stable";
  suite.codename = "bookworm";
  suite.version = "12";
  suite.date = parse_time("2026-11-29T00:53:13Z").value();
  suite.valid_until = parse_time("2026-12-06T00:53:13Z").value();
  suite.signed_file = sha256("InRelease");
  suite.release = {sha256("Release"), 7, ""};
  suite.signers = {{"F0A5B18B9E0427CE48CB3253F687BB48CFB593D4", "A <a@example.org>"}, {"7897719638FB012049908835D45DAB9CE42B0625", "B"}};
  suite.indexes = {{"main/binary-amd64/Packages", {sha256("main"), 4, ".xz"}}, {"contrib/binary-amd64/Packages", {sha256("contrib"), UINT64_MAX, ""}}};
  suite.fetched = parse_time("2026-11-30T06:00:00Z").value();
  return suite;
}

}  // namespace vmpatch::repository::test
