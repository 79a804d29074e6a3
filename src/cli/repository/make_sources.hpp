#pragma once
// Which of apt's sources become repositories of the configuration, and why others do not. Pure.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/repository/apt_entry.hpp"
#include "cli/repository/apt_targets.hpp"
#include "vmpatch/guest/facts.hpp"
#include "vmpatch/repository/source.hpp"

namespace vmpatch::cli {

namespace fs = std::filesystem;

struct ImportSettings {
  guest::OsRelease host;
  std::optional<std::string> os_id;         ///< said by the user; else by a source's code name, else the host's
  std::optional<std::string> version;       ///< said with it
  std::map<std::string, fs::path> keyrings;  ///< Origin of a distribution → its keyring, where there is one here
  std::vector<fs::path> signed_by;          ///< for sources of which apt names no file with a key
};

/// {file, number} of an entry.
using AptEntries = std::map<std::pair<std::string, unsigned>, AptEntry>;

struct LeftOut {
  std::string source;  ///< address and suite, without secrets, escaped
  std::string reason;
};

struct Imported {
  std::vector<repository::Source> sources;  ///< each as policy accepts it, names unique
  std::vector<LeftOut> left_out;
};

/// Every source is in one of the two. Errc::usage names the sources of which no key is known. `entries` has the entry of each target.
Result<Imported> make_sources(const std::vector<AptTarget>& targets, const AptEntries& entries, const ImportSettings& settings);

}  // namespace vmpatch::cli
