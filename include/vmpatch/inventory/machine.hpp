#pragma once
// The machine model: what libvirt and the disks say together.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/image/chain.hpp"

namespace vmpatch::inventory {

namespace fs = std::filesystem;

enum class State { running, paused, pmsuspended, saved, shutoff, hibernated, crashed, unknown };
std::string_view to_string(State state);

struct Disk {
  std::string target;                    ///< vda; "image" for a bare one
  std::string device = "disk";           ///< disk, lun, cdrom, floppy
  std::optional<fs::path> source;        ///< file or block path; empty = none or not a local file
  std::string source_kind;               ///< file, block, volume, network, … as in the XML
  std::string pool, volume;              ///< kind volume only; the libvirt source resolves them into `source`
  std::optional<std::string> format;     ///< driver type of the XML, as written
  bool format_by_name = false;           ///< nobody said it: it follows from the end of the file's name
  bool read_only = false;
  bool shareable = false;
  bool transient = false;
  std::string snapshot;                  ///< id of an internal snapshot: the disk as it was then; empty = as it is now
  std::string bus;                       ///< virtio, scsi, sata, ide, usb, …: of the XML, or as libvirt takes it from the target; "" of a bare one
  std::string serial;                    ///< as the XML has it
  unsigned boot_order = 0;               ///< <boot order>; 0 = none
  /// <backingStore> of the XML, nearest first; nullopt = not given (libvirt follows the header), empty = no backing file.
  std::optional<std::vector<std::pair<fs::path, image::Format>>> configured_chain;
  /// Filled by load_lineage(): layers top first, or why not.
  struct LayerInfo {
    fs::path path;
    image::Format format = image::Format::raw;
    std::uint64_t file_size = 0, virtual_size = 0;
  };
  std::vector<LayerInfo> layers;
  std::string problem;  ///< why the chain could not be read or the disk not be used; empty = fine
  [[nodiscard]] bool is_drive() const { return device == "disk" || device == "lun"; }
};

/// A state that a machine can be reverted to.
struct Snapshot {
  enum class Kind { internal, external };  ///< in the images of its disks, or files that they stand on
  std::string name;                        ///< hostile text
  Kind kind = Kind::internal;
  Time taken{};                            ///< as libvirt or the image says
  bool memory = false;                     ///< with the memory of the running machine
  std::vector<Disk> disks;                 ///< what the machine would have
  std::string problem;                     ///< why it cannot be looked at
};
std::string_view to_string(Snapshot::Kind kind);

/// vm-patch's own metadata element in a domain: <vm-patch xmlns="https://vm-patch.org/domain/1" role="template"
/// group="web" criticality="high" exposure="internet"/>.
struct Metadata {
  std::string role, group, criticality, exposure;
};

/// What a machine is started on, as the XML has it; "", 0 and empty = not said. Words are hostile text.
struct Hardware {
  std::string arch;                ///< x86_64
  std::string machine;             ///< pc-q35-7.2
  bool efi = false;                ///< a firmware with variables, or whatever of that kind the host has
  bool secure = false;             ///< one that enforces secure boot
  std::filesystem::path loader;    ///< image of the firmware
  bool loader_is_flash = false;    ///< type='pflash'
  std::filesystem::path nvram;           ///< its variables
  std::filesystem::path nvram_template;  ///< what they are made of
  std::string firmware_format;     ///< of loader or nvram, where it is another one than raw
  std::filesystem::path kernel;    ///< that QEMU itself starts (direct kernel boot)
  std::string scsi_model;          ///< of the first SCSI controller
  std::uint64_t memory = 0;        ///< bytes
  unsigned vcpus = 0;
  bool local_time = false;         ///< its clock shows the host's local time
};

/// Memory that was saved to a file of somebody's choice (virsh save), or by virsh managedsave whose file is gone: libvirt tells
/// these two not apart.
struct FileSave {
  enum class Witness { libvirt, log, record };  ///< its answer; its log, when it has forgotten; ChainOptions::saved_memory
  Witness told_by = Witness::libvirt;
  std::optional<Time> when;  ///< where the witness knows
};
std::string_view to_string(FileSave::Witness witness);

struct Machine {
  std::string host;      ///< libvirt URI, or "file" for a bare image
  std::string uuid;      ///< libvirt's, or named_uuid("image:" + canonical path)
  std::string name;      ///< hostile text
  State state = State::unknown;
  bool local = true;            ///< its disks are files of this computer (false: a URI with another host's name)
  bool persistent = true;
  bool managed_save = false;    ///< its memory is in libvirt's own folder
  std::optional<FileSave> saved_to_file;  ///< only where the state is `saved` without managed_save
  bool has_snapshots = false;   ///< libvirt snapshots or internal ones (also those that hold memory)
  std::vector<Snapshot> snapshots;  ///< oldest first; load_lineage() adds the internal ones; at most 256 and one that says so
  std::string at_snapshot;      ///< of at_snapshot(): name of that snapshot; such a machine is only read
  bool bare = false;            ///< named with -a
  std::string domain_type;      ///< kvm, qemu, test, …
  Metadata metadata;
  Hardware hardware;
  std::vector<Disk> disks;
  std::vector<fs::path> other_files;       ///< kernel, initrd, loader, nvram of the XML: in use, but no disks
  std::vector<std::string> children;       ///< machines or images that have a top layer of this machine among their backing files
  /// Images whose first bytes name a top layer of it as their backing file, while nobody says that they are no raw disks: a guest writes
  /// what it likes there. load_lineage().
  std::vector<std::string> possible_children;
  std::vector<std::string> shared_with;    ///< other machines that name one of its top layers, unless both only read it
  bool is_template = false;
  std::string problem;                     ///< why it could not be read fully
  /// What could not be asked. Of a bare image: who needs it, or may, by what a libvirt that does not answer left in its folders. Of any:
  /// machines that may stand on it, because their chain goes on where nothing is opened. load_lineage(). Each is a full message, and an
  /// obstacle.
  std::vector<std::string> unanswered;

  [[nodiscard]] bool dormant() const { return state == State::shutoff && !managed_save && !saved_to_file; }
  [[nodiscard]] bool suspended() const;
};

/// Pure: reads disks, metadata, uuid, name, type out of domain XML (libxml2: no network, no XInclude, 4 MiB, depth 64).
/// Errc::refused: too large or deep, a document type, a disk target twice. Errc::failed: not well-formed, no domain, no
/// name or UUID. A disk that nobody can patch (encrypted, mirrored, sliced) keeps that as its problem. Target: inventory_xml.
Result<Machine> parse_domain_xml(std::string_view xml, std::string_view origin);

/// Pure: libvirt's snapshot XML (the same bounds). Disks of an external one are those of the <domain> within; an internal one has
/// none, since its images tell of it themselves: load_lineage(). Target: inventory_xml.
Result<Snapshot> parse_snapshot_xml(std::string_view xml, std::string_view origin);

/// What libvirt itself notes of a machine that it runs: /run/libvirt/qemu/NAME.xml. Words as libvirt writes them, e.g. "paused",
/// "save" (virDomainState and its reasons), "snapshot" (virDomainAsyncJob); "" = none is noted.
struct DomainStatus {
  std::string state, reason, job;
  int pid = 0;      ///< of its QEMU; 0: none is noted
  Machine machine;  ///< with the disks that it has now
};
/// Pure; the same bounds. Errc::failed: no <domstatus>, or without a domain. Target: inventory_xml.
Result<DomainStatus> parse_domain_status(std::string_view xml, std::string_view origin);

/// The machine as it would be, for reading: its disks are the snapshot's.
Machine at_snapshot(const Machine& machine, const Snapshot& snapshot);

/// An image of a storage pool.
struct Orphan {
  std::string host;
  std::string pool;
  fs::path path;
  std::uint64_t file_size = 0;
};

/// What a file in libvirt's folders tells of a machine.
struct LeftMachine {
  enum class Kind { defined, noted, running, saved };  ///< noted: ran when libvirt wrote it, and its QEMU is gone
  Kind kind = Kind::defined;
  Machine machine;
  fs::path file;
};

/// What a libvirt of this computer that does not answer left in its folders. One machine may be in several of their files.
struct LeftBehind {
  std::vector<LeftMachine> machines;
  std::vector<std::string> unread;  ///< what could not be read, and why; escaped
  [[nodiscard]] bool nothing() const { return machines.empty() && unread.empty(); }
};

/// One host's answer, or its failure: a host that does not answer is a row, not the end.
struct HostInventory {
  std::string host;
  std::string problem;  ///< empty = answered
  std::vector<std::string> notes;  ///< what was passed over by rule; escaped
  std::vector<std::string> gaps;   ///< what was to be looked at and could not be: machines may be missing; escaped
  std::vector<Machine> machines;
  std::vector<Orphan> volumes;      ///< every volume of the active local pools
  std::vector<Orphan> orphans;      ///< those of them that nothing refers to: load_lineage()
  std::vector<fs::path> pool_dirs;  ///< canonical folders of active pools: allowed for backing files
  std::optional<LeftBehind> left;   ///< only of a libvirt of this computer that has a problem
};

struct Inventory {
  std::vector<HostInventory> hosts;
  [[nodiscard]] bool complete() const;  ///< no host failed, and none has gaps
};

Json to_json(const Machine& machine);
/// Schema "vm-patch/inventory/v1" (README in src/inventory).
Json to_json(const Inventory& inventory);

}  // namespace vmpatch::inventory
