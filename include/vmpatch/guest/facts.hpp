#pragma once
// What was read from a guest. read_facts() is pure code over the Guest port: the same for every adapter.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

struct OsRelease {
  std::string id, version_id, pretty_name, codename;
  std::string id_like{};  ///< ids of the systems that it is derived from, separated by spaces, closest first
  bool operator==(const OsRelease&) const = default;
};

/// Status of a package of apk, pacman or rpm, whose databases hold installed packages only.
inline constexpr std::string_view installed_status = "install ok installed";

/// One entry of a package database. dpkg: /var/lib/dpkg/status and status.d.
struct Package {
  std::string name;
  std::string version;         ///< rpm: epoch:version-release, without the epoch when there is none
  std::string arch;            ///< the distribution's word: amd64
  std::string source;          ///< source package: Source, origin (apk), base (pacman), SOURCERPM; the name when not given
  std::string source_version;  ///< Source: foo (1.0), else the version; rpm: of SOURCERPM, with the epoch of the package
  std::string status;          ///< dpkg's three words; installed_status for all others
  bool essential = false;      ///< dpkg: Essential: yes
  bool automatic = false;      ///< installed as a dependency: apt's extended_states, pacman's reason 1
  std::string module{};        ///< rpm: MODULARITYLABEL, "name:stream:version:context"; "" = of no module, or not told
  [[nodiscard]] bool installed() const;  ///< third word is "installed"
  /// Its files are, or may be, on the disk: every state of dpkg but not-installed and config-files, a half done or unknown one
  /// too. Always true for apk, pacman and rpm.
  [[nodiscard]] bool on_disk() const;
  [[nodiscard]] bool held() const;       ///< first word is "hold"
  bool operator==(const Package&) const = default;
};

/// Parses dpkg status text; at most 50,000 packages, 8 MiB of names and versions. Malformed stanzas are failed with the line number.
Result<std::vector<Package>> parse_dpkg_status(std::string_view text);

struct MountEntry {
  std::string what, where, type, options;
  bool operator==(const MountEntry&) const = default;
};
Result<std::vector<MountEntry>> parse_fstab(std::string_view text);
Result<OsRelease> parse_os_release(std::string_view text);

enum class MachineId { missing, empty, uninitialized, set };
std::string_view to_string(MachineId state);

/// What a patch must leave as it was (identity hygiene).
struct Identity {
  MachineId machine_id = MachineId::missing;
  std::map<std::string, std::string> files;  ///< path → "sha256:…", "link:TARGET", "absent" or (above 1 MiB) "N bytes" for machine-id, dbus machine-id,
                                             ///< resolv.conf, hostname, policy-rc.d and every /etc/ssh/ssh_host_*_key
  bool operator==(const Identity&) const = default;
};

/// A folder with more kernels is failed.
inline constexpr std::size_t max_kernels = 10'000;

struct Kernel {
  std::string version;  ///< as its modules have it: of /boot/vmlinuz-VERSION, or as its package says
  bool initrd = false;
  bool modules = false;  ///< /lib/modules/VERSION exists
  std::string file{};    ///< in the guest: /boot/vmlinuz-VERSION, /boot/vmlinuz-linux
  bool operator==(const Kernel&) const = default;
};

/// What the boot loader starts by default.
struct DefaultBoot {
  std::string kernel;  ///< version, or where that is not known path of the kernel in the guest; "" = unknown
  std::string source;  ///< file that says so: /boot/grub/grub.cfg, /boot/loader/entries/x.conf; "" = unknown
  bool operator==(const DefaultBoot&) const = default;
};

/// When the guest last ran, as far as its files tell. The newest of several traces.
struct LastBoot {
  std::optional<std::int64_t> time;  ///< seconds since the epoch, 1 to latest_time; nothing = no trace, e.g. a fresh image
  std::string source;                ///< file that says so: /var/log/wtmp, …
  bool operator==(const LastBoot&) const = default;
};

/// Later traces (2200-01-01) are those of a broken clock.
inline constexpr std::int64_t latest_time = 7'258'118'400;

enum class CloudInit { absent, never_ran, ran };
std::string_view to_string(CloudInit state);

struct Facts {
  OsRelease os;
  std::string arch;             ///< uname style, from the ELF header of the guest's /bin/sh or init: x86_64
  std::string package_manager;  ///< "dpkg", "rpm", "apk", "pacman", "" = unknown
  std::vector<Package> packages;
  std::vector<std::string> half_configured;  ///< "name: status" of packages in between states, and pending triggers/updates
  std::vector<MountEntry> mounts;
  std::vector<Kernel> kernels;
  DefaultBoot default_boot;
  LastBoot last_boot;
  CloudInit cloud_init = CloudInit::absent;
  std::string init;  ///< systemd, sysvinit, …, "" = unknown
  Identity identity;
  bool hibernated = false;  ///< Guest::hibernated() (swap signatures S1SUSPEND…)
  std::string access;       ///< Guest::access()

  bool operator==(const Facts&) const = default;
  [[nodiscard]] const Package* find(std::string_view name) const;  ///< an installed one, any architecture
};

/// Errors: failed with the path; a missing os-release is not_found ("no operating system found").
Result<Facts> read_facts(Guest& guest);
Result<Identity> read_identity(Guest& guest);
/// When it last reached a run level in which people work (2 to 5, multi-user), as /var/log/wtmp has it: seconds since the epoch. Nothing: it
/// has no such record. Errors: unsupported and timeout only.
Result<std::optional<std::int64_t>> read_last_run_level(Guest& guest, std::string_view arch);
/// Differences for people, one a line: "machine-id: absent → sha256:…". Empty = unchanged.
std::vector<std::string> identity_changes(const Identity& before, const Identity& after);

/// Bytes that are not UTF-8 are written as U+EF80 to U+EFFF (0xEF00 + byte), and so are the bytes of such characters themselves:
/// text of a guest comes back exactly.
Json to_json(const Facts& facts);
/// What to_json() wrote, exactly; Errc::failed for anything else (a cache of another version).
Result<Facts> facts_from_json(const Json& json);

}  // namespace vmpatch::guest
