#pragma once
// Groups, baselines, repositories and limits from vm-patch.yaml (schema vm-patch/config/v1). An empty or missing file means defaults.
//
//   schema: vm-patch/config/v1
//   state_dir: /var/lib/vm-patch
//   connect: [qemu:///system]
//   allow_backing: [/srv/images]
//   not_clones: [/srv/images/web.img]    # files that no image has to be kept for, whatever their first bytes say
//   templates: ["tmpl-*"]                # name patterns
//   attestation_key: …                   # default STATE/keys/attest
//   jobs: 2
//   space_reserve: 1GiB                  # free space kept on the state dir's file system
//   undo_keep: 7d                        # how long undo images stay
//   boot_proof: never                    # or kernel, always: whether a patched machine is started once before its disks are written
//   boot_timeout: 5m                     # until it has to be up; 10s to 1h
//   audit:                               # where the heads of the audit chains are kept besides the state directory
//     anchor: /srv/worm/vm-patch.anchor  # default STATE.anchor
//     syslog: true                       # facility authpriv, after each commit
//     command: [/usr/local/sbin/tell]    # after each commit, with the anchor's lines on standard input
//   feeds:                               # what `scan` compares with: [KIND=]/PATH or [KIND=]URL, see advisory/obtain.hpp
//     - osv=https://example.org/Debian/all.zip
//     - /srv/feeds/kev.json
//   feed_max_age: 24h                    # a fetched copy that is younger is not fetched again
//   repositories:                        # verified package repositories, see repository/source.hpp
//     - name: debian-12-security           # unique
//       type: apt                          # the default, or rpmmd
//       for: {os: debian, versions: ["12"]}  # ID and VERSION_IDs of the guests' os-release; no versions = all
//       uris: ["https://mirror.example.org/debian-security"]  # https:, http:, file:; no user, password, query or fragment
//       suites: [bookworm-security]        # apt only, and required there; no flat repositories
//       components: [main]                 # the same
//       architectures: [amd64]             # the default; [x86_64] of rpmmd
//       signed_by: [/usr/share/keyrings/debian-archive-keyring.gpg]  # required
//       security: true                     # what it offers are security updates; default false
//       snapshot: 2026-11-01               # an older state on purpose: of that day, or sha256:HEX of its InRelease or repomd.xml
//       max_age: 10d                       # metadata older than that is refused although it has not expired
//       proxy: http://proxy.example.org:3128  # default: as the environment says
//       client_certificate: /etc/vm-patch/client.pem   # with client_key, or none
//       client_key: /etc/vm-patch/client.key
//       ca: /etc/vm-patch/ca.pem           # default: the system's authorities
//   groups:
//     - name: web
//       match: {names: ["web*"], uuids: [...], metadata_groups: [web]}   # any of
//       baseline:
//         attested: true                 # an attestation whose identities hold
//         max_age: 30d                   # of the attestation
//         recipes: {debian-12-openssl: 3}   # id: lowest version
//         proof: delivered               # of these recipes, or where none is named of all that is attested; or any, the default
//       boot_proof: kernel               # of this group's machines
//       boot_timeout: 10m
//       on_error: closed                 # or open: what an internal failure of the gate means
//       action: deny                     # or warn (record only)
//       refresh:                         # what `vm-patch refresh` does with it
//         mode: security                 # the default; all; or never: its machines are passed over
//         exclude: ["linux-*"]           # packages that stay as they are
//         halt_after: 3                  # failures after which no other machine of the group is begun
// The first group that matches counts. A machine in no group has no baseline. A baseline with `max_age`, `recipes` or `proof: delivered` needs an
// attestation whose identities hold, whether `attested` says so or not.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/repository/source.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::policy {

struct Baseline {
  bool attested = false;
  std::optional<Seconds> max_age;
  std::map<std::string, std::uint32_t> recipes;
  bool delivered_proof = false;  ///< the guest's own lists are not enough: engine::ProofKind::delivered
  [[nodiscard]] bool empty() const { return !attested && !max_age && recipes.empty() && !delivered_proof; }
};

/// Whether a machine is started once in a throw-away QEMU after a patch was verified and before it is committed.
enum class BootProof {
  never,
  kernel,  ///< where what it starts from was changed
  always,
};
std::string_view to_string(BootProof when);
Result<BootProof> parse_boot_proof(std::string_view word);  ///< Errc::usage

/// What is not said is the configuration's, or the default: never, 300 s.
struct BootRule {
  std::optional<BootProof> proof;
  std::optional<Seconds> timeout;
};

/// What a command line says goes before it, but for `exclude`, which both add to.
struct GroupRefresh {
  bool never = false;
  std::optional<repository::Mode> mode;
  std::vector<std::string> exclude;       ///< name patterns of packages
  std::optional<unsigned> halt_after;     ///< at least 1
};

struct Group {
  std::string name;
  std::vector<std::string> names, uuids, metadata_groups;
  Baseline baseline;
  BootRule boot;
  bool closed_on_error = true;
  bool deny = true;
  GroupRefresh refresh;
};

struct Audit {
  std::optional<std::filesystem::path> anchor;
  bool syslog = true;
  std::vector<std::string> command;  ///< empty = none
};

struct Policy {
  std::optional<std::filesystem::path> state_dir;
  std::vector<std::string> connect;
  std::vector<std::filesystem::path> allow_backing;
  std::vector<std::filesystem::path> not_clones;
  std::vector<std::string> templates;
  std::optional<std::filesystem::path> attestation_key;
  unsigned jobs = 2;
  std::uint64_t space_reserve = 1ULL << 30U;  ///< bytes
  Seconds undo_keep{7 * 86400};
  BootRule boot;
  Audit audit;
  std::vector<std::string> feeds;      ///< locations as written
  Seconds feed_max_age{24 * 3600};
  std::vector<repository::Source> repositories;  ///< in the order of the file, names unique
  std::vector<Group> groups;
};

/// Errc::usage with file, line, column.
Result<Policy> parse_policy(std::string_view yaml, std::string_view file_name);
/// A missing file that was named is an error; an empty path gives defaults.
Result<Policy> load_policy(const std::filesystem::path& file);

/// What the gate needs, as published in the ledger (groups only):
/// {"schema": "vm-patch/gate-policy/v1", "groups": [{"name", "match": {"names": [], "uuids": [], "metadata_groups": []},
///  "baseline": {"attested": bool, "max_age": seconds or null, "recipes": {id: version}, "proof": "any"|"delivered"}, "on_error": "closed"|"open",
///  "action": "deny"|"warn"}]}
Json gate_policy_json(const Policy& policy);

}  // namespace vmpatch::policy
