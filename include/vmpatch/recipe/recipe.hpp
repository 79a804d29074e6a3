#pragma once
// The recipe model: what a signed recipe may say, parsed.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/trust/verified.hpp"

namespace vmpatch::recipe {

enum class Severity { none, low, medium, high, critical };
std::string_view to_string(Severity severity);
Result<Severity> parse_severity(std::string_view text);

/// "< 3.0.22-1~deb12u2": operator and version in the distribution's own order. Operators: < <= = >= >.
struct VersionBound {
  enum class Op { lt, le, eq, ge, gt };
  Op op = Op::ge;
  std::string version;
  [[nodiscard]] std::string text() const;
  static Result<VersionBound> parse(std::string_view text);
};

/// To whom it applies. Every given criterion must hold; of `packages` at least one must be installed and match.
struct AppliesTo {
  std::string os_id;                  ///< os-release ID, required
  std::vector<std::string> version_id;  ///< os-release VERSION_ID, any of; empty = all
  std::vector<std::string> arch;      ///< uname style: x86_64, aarch64; empty = all
  std::map<std::string, VersionBound> packages;
};

struct Payload {
  std::string name;  ///< plain file name, unique
  Digest sha256;
  std::uint64_t size = 0;  ///< bytes
};

enum class Conffiles { keep, replace };

namespace step {
struct Packages {
  std::vector<std::string> install;  ///< payload names (*.deb)
  Conffiles conffiles = Conffiles::keep;
};
struct File {  ///< content or payload, or absent
  std::string path;
  std::optional<std::string> content;
  std::optional<std::string> payload;
  bool absent = false;
  std::optional<unsigned> mode;  ///< permission bits
  std::optional<std::string> owner, group;  ///< names or numbers of the guest
  bool folder = false;  ///< with absent: it is a folder, and goes with everything in it
};
struct Edit {  ///< Augeas
  std::string path;
  std::string lens;  ///< e.g. sshd
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
};
enum class UnitState { enabled, disabled, masked, unmasked };
struct Service {
  std::string name;  ///< unit name with suffix
  UnitState state = UnitState::enabled;
};
struct Unarchive {
  std::string payload;
  std::string into;  ///< existing or new folder of the guest
};
struct Run {
  std::string payload;
  std::vector<std::string> args;
  Seconds timeout{120};
};
struct Firstboot {
  std::string payload;
};
}  // namespace step

using Step = std::variant<step::Packages, step::File, step::Edit, step::Service, step::Unarchive, step::Run, step::Firstboot>;
/// "packages", "file", …
std::string_view kind_of(const Step& step);
/// One line for people: "install libssl3.deb, openssl.deb (keep conffiles)".
std::string describe(const Step& step);
/// The same, short: more than three packages by their number, "install 26 packages (keep conffiles)".
std::string summarize(const Step& step);

namespace check {
struct Package {  ///< installed and configured, with a version in bounds
  std::string name;
  VersionBound bound;
};
struct File {
  std::string path;
  bool absent = false;
  std::optional<Digest> sha256;
  std::optional<unsigned> mode;
  std::optional<std::string> owner, group, content;
};
struct Service {
  std::string name;
  step::UnitState state = step::UnitState::enabled;
};
}  // namespace check
using Check = std::variant<check::Package, check::File, check::Service>;
std::string describe(const Check& check);

/// What a refresh made a recipe of: a state of repositories, verified. For people and for audits; nothing is fetched by it.
struct MadeFrom {
  struct Suite {
    std::string repository, suite;
    Time date{};                       ///< of its Release file
    Digest signed_file{};              ///< SHA-256 of the file that carries the signature (InRelease)
    std::vector<std::string> signers;  ///< fingerprints of primary keys, hex
  };
  Digest snapshot{};
  std::vector<Suite> suites;
};

struct Recipe {
  std::string id;  ///< [a-z0-9][a-z0-9.+-]{1,127}
  std::uint32_t version = 1;
  std::string title;
  Time issued{};
  std::optional<Time> expires;
  Severity severity = Severity::none;
  std::vector<std::string> fixes;  ///< CVE-…, DSA-…
  AppliesTo applies_to;
  std::vector<Payload> payloads;
  std::vector<Step> steps;
  std::vector<Check> verify;
  std::optional<MadeFrom> made_from;

  [[nodiscard]] const Payload* find_payload(std::string_view name) const;
};

/// Only for authors (lint, bundle): the bytes are not trusted, the result can be shown but not planned.
/// Errors are Errc::untrusted with FILE:LINE:COLUMN. Refused besides unknown keys: steps that name an undeclared payload,
/// payloads that no step uses, paths that are not absolute and normal, `run` or `firstboot` or `unarchive` without any
/// `verify` entry, a step kind that this version does not know (by name), expires before issued.
Result<Recipe> parse_unverified_recipe(std::string_view yaml, std::string_view file_name);

/// What plan and engine accept: parsed from verified bytes.
class TrustedRecipe {
 public:
  /// Errc::untrusted besides: only a refresher signed it, and it has another step than packages, or does not say what it was made from.
  static Result<TrustedRecipe> parse(const trust::Verified<std::string>& bytes, std::string_view file_name);
  [[nodiscard]] const Recipe& get() const { return recipe_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }  ///< sha256 of the signed bytes
  [[nodiscard]] const std::vector<trust::Signer>& signers() const { return signers_; }
  [[nodiscard]] bool made_by_machine() const { return made_by_machine_; }  ///< see trust::Verified

 private:
  TrustedRecipe() = default;
  Recipe recipe_;
  Digest digest_;
  std::vector<trust::Signer> signers_;
  bool made_by_machine_ = false;
};

/// The canonical YAML text of a recipe (parse_unverified_recipe of it gives the same recipe).
std::string write_recipe(const Recipe& recipe);

}  // namespace vmpatch::recipe
