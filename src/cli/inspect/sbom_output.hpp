#pragma once
// Where bills of materials go: one document a machine.

#include <filesystem>
#include <optional>

#include "vmpatch/fleet/facts.hpp"
#include "vmpatch/report/sbom.hpp"

namespace vmpatch::cli {

class SbomOutput {
 public:
  /// `target`: empty = standard output, a file, or a folder that exists; several machines need a folder (Errc::usage).
  static Result<SbomOutput> open(report::SbomFormat format, const std::filesystem::path& target, std::size_t machines);
  /// In a folder the file is NAME-UUID.cdx.json or NAME-UUID.spdx.json, with '_' for what has no place in a file name.
  Result<void> write(const fleet::MachineFacts& about, const guest::Facts& facts) const;

 private:
  SbomOutput(report::SbomFormat format, std::filesystem::path target, bool folder)
      : format_(format), target_(std::move(target)), folder_(folder) {}
  [[nodiscard]] std::filesystem::path file_of(const inventory::Machine& machine) const;

  report::SbomFormat format_;
  std::filesystem::path target_;
  bool folder_;
};

}  // namespace vmpatch::cli
