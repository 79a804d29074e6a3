#pragma once
// What repositories would change on a machine: the answer of the distribution's own resolver, checked against verified metadata.

#include <cstdint>
#include <string>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::repository {

/// security: what a repository of security updates offers for what is installed, with the new packages that it needs. all: what a full
/// upgrade by the guest's own package manager would do (apt: dist-upgrade).
enum class Mode { security, all };
std::string_view to_string(Mode mode);

/// Boot loaders (boot_loaders.hpp) are kept back whatever the rules say.
struct Rules {
  Mode mode = Mode::security;
  std::vector<std::string> exclude;  ///< name patterns (glob) of packages that stay as they are
};

struct Change {
  std::string name, arch;
  std::string from;             ///< installed version; "" = new
  std::string to;               ///< "" = removed
  bool security = false;        ///< offered by a repository of security updates
  bool downgrade = false;
  bool essential = false;       ///< essential or important to the system
  std::string because;          ///< of a new package: a package that needs it; of a removed one: one that conflicts; "" = not told
  std::string repository, suite;  ///< that it comes from; "" = removed
  std::string file;             ///< below the repository's address
  Digest sha256{};
  std::uint64_t size = 0;       ///< bytes of the file
  std::string source, source_version;
  std::int64_t installed_size = 0;  ///< bytes more (or less) in the guest, as the packages say
};

/// What the package manager does with one package, in order.
struct Operation {
  enum class Kind { unpack, configure, remove, purge };
  Kind kind = Kind::unpack;
  std::string name, arch;
};
std::string_view to_string(Operation::Kind kind);

/// A package that stays although a newer version is offered.
struct Kept {
  std::string name, arch, version, candidate;
  std::string why;        ///< held, excluded, pinned, phased, …
  bool security = false;  ///< the newer one is a security update
};

struct Installed {
  std::string name, arch, version;
  bool operator==(const Installed&) const = default;
};

struct Update {
  Digest snapshot{};
  Mode mode = Mode::security;
  std::vector<Change> changes;
  std::vector<Operation> operations;
  std::vector<Kept> kept;
  std::vector<Installed> unknown;   ///< offered by no repository, so that nothing updates them
  std::vector<Installed> unneeded;  ///< installed for others that are gone
  /// What its mode asks for and what stays all the same: the machine is not current. Phases are not counted: their turn comes.
  [[nodiscard]] std::size_t kept_back() const;
  [[nodiscard]] std::uint64_t download_size() const;
  [[nodiscard]] std::int64_t installed_size() const;
};

/// Schema vm-patch/update/v1.
Json to_json(const Update& update);

}  // namespace vmpatch::repository
