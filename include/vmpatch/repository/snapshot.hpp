#pragma once
// What was verified of repositories at one moment.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/repository/source.hpp"

namespace vmpatch::repository {

/// A file that signed metadata names, in the cache by its digest.
struct IndexFile {
  Digest sha256;
  std::uint64_t size = 0;   ///< bytes
  std::string compression;  ///< ".xz", ".gz", … or ""
  bool operator==(const IndexFile&) const = default;
};

struct SignedBy {
  std::string fingerprint;  ///< of the primary key
  std::string user;         ///< escaped
  bool operator==(const SignedBy&) const = default;
};

/// One suite of one repository as it was accepted. Signatures, digests and dates held then.
struct Suite {
  std::string repository;  ///< Source::name
  std::string uri, suite;
  std::vector<std::string> components;
  bool security = false;
  std::string origin, label, archive, codename, version;  ///< as the Release file has them; archive = its Suite
  Time date{};                                            ///< when the Release file was made
  std::optional<Time> valid_until;
  bool pinned = false;                     ///< by Source::snapshot: may be expired
  Digest signed_file;                      ///< InRelease as it came
  IndexFile release;                       ///< the text that was signed
  std::vector<SignedBy> signers;
  std::map<std::string, IndexFile> indexes;  ///< "main/binary-amd64/Packages" → file
  Digest configuration{};                  ///< of the source when it was accepted: configuration_of()
  Time fetched{};                            ///< when the server was asked last
  bool operator==(const Suite&) const = default;
};

/// Over all that decides what is accepted of a source: addresses, suites, components, architectures, keys (their content), pin. Errors: those of
/// reading the keys.
Result<Digest> configuration_of(const Source& source);

/// Every suite for one system. Equal digest: equal content, whenever it was fetched.
struct Snapshot {
  std::vector<Suite> suites;  ///< in the order of the configuration
  [[nodiscard]] Digest digest() const;
  /// The newest date of its suites' metadata (that of a stable archive may be months old), and when the first of it expires.
  [[nodiscard]] Time date() const;
  [[nodiscard]] std::optional<Time> expires() const;
};

/// The newest that was accepted of a suite without a pin: an older one is a rollback, another archive is none of ours.
struct Seen {
  std::string codename, origin, label;
  Time date{};
  bool operator==(const Seen&) const = default;
};

/// Schema vm-patch/suite/v1.
Json to_json(const Suite& suite);
/// What to_json() wrote, exactly; Errc::failed for anything else.
Result<Suite> suite_from_json(const Json& json);

}  // namespace vmpatch::repository
