#pragma once
// The Source port: where machines come from.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/log.hpp"
#include "vmpatch/image/identity.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

class Source {
 public:
  virtual ~Source() = default;
  /// Everything of this host. Never fails: see HostInventory::problem.
  virtual HostInventory list() = 0;
  /// One machine by name or UUID, fresh. not_found names the host; a name that is ambiguous is refused.
  virtual Result<Machine> find(const std::string& name_or_uuid) = 0;
  [[nodiscard]] virtual std::string host() const = 0;
};

/// Any libvirt URI. The connection is made at the first call, read-only where libvirt allows it. A host that is silent
/// for 15 s counts as not reachable; nothing is printed by libvirt itself. The program must ignore SIGPIPE: libvirt writes to daemons
/// that are gone. Target: inventory_libvirt.
std::unique_ptr<Source> make_libvirt_source(const std::string& uri, Log& log);
/// The same, where its daemon's folders are others than libvirt_folders() says.
std::unique_ptr<Source> make_libvirt_source(const std::string& uri, Log& log, std::optional<LibvirtFolders> folders);

/// Bare images (-a FILE with --format). `find` accepts the path.
struct BareImage {
  fs::path path;
  image::Format format;
  bool by_name = false;  ///< the format follows from the end of the name
};
std::unique_ptr<Source> make_bare_source(std::vector<BareImage> images);
/// Every *.qcow2, *.img, *.raw below folders: format by the file name's end (.img is raw), never by content. Symlinks are
/// not followed; at most 100,000 entries.
/// A state directory of vm-patch (it holds ledger.sqlite) is passed over; this and links are notes. A folder
/// below that may not be read is a gap. A folder without any image is a problem.
std::unique_ptr<Source> make_folder_source(std::vector<fs::path> folders);
/// Its rule for names; nothing for any other end.
std::optional<image::Format> format_of_name(const fs::path& path);

struct ChainOptions {
  std::vector<fs::path> allowed_dirs;       ///< besides the pools and the image's own folder
  std::vector<std::string> template_names;  ///< name patterns of the policy
  /// Files that no image has to be kept for, says the operator: what their first bytes name is not believed, and where the chain of
  /// a machine on them goes on is not asked. A machine whose chain is known counts all the same.
  std::vector<fs::path> not_clones = {};
  /// A silent host's machines become those that its folders name, as far as they tell of them: for who uses an image.
  bool left_as_machines = false;
  bool without_libvirt = false;             ///< the operator answers for a libvirt that does not: see Machine::unanswered
  /// When memory was saved that belongs to a machine of this UUID, or to one of these disks as they are now (top layers of those that
  /// it can write), if that was recorded and nothing was recorded since that used it.
  std::function<std::optional<Time>(const std::string& machine_uuid, const std::vector<image::LayerIdentity>& disks)> saved_memory = {};
  /// By a machine's UUID: until when memory that was saved to a file was thrown away, as an operator said.
  std::function<std::optional<Time>(const std::string& machine_uuid)> forgotten_memory = {};
};

/// Reads every chain's headers (through image::Chain), then finds children, shared disks, templates and orphans over all
/// hosts together. Problems stay with their disk. A state of `shutoff` becomes `running` where QEMU holds a lock on the
/// top layer of a bare image, and `saved` where saved_memory knows of memory; memory in a file becomes none (`shutoff`) where it was
/// saved before forgotten_memory. A bare image is compared with what a silent libvirt left behind: one that is named there, and unless
/// `without_libvirt` any where that libvirt has machines, cannot be written (Machine::unanswered). No file is opened that is neither a
/// machine's disk nor in an allowed folder, a pool or the folder of a disk that a machine writes; of a disk that is said to be raw no
/// header is read. Other names are compared by stat.
void load_lineage(Inventory& inventory, const ChainOptions& options);

/// The chain of one disk: its format is what the XML says and never guessed, backing files are the configured ones, in allowed folders.
/// Errc::refused when the XML gives no format, the source is not a local file or block device, or the screen refuses.
Result<image::Chain> open_disk_chain(const Machine& machine, const Disk& disk, const std::vector<fs::path>& allowed_dirs);

/// Why the machine's disks must not be written, in order of importance; empty = they may: state other
/// than dormant, saved memory, disks shared, image with children (a template: publish instead), disk without format,
/// transient disks, network disks, no disk, unreadable chain. Each entry is one full message with a remedy.
std::vector<std::string> write_obstacles(const Machine& machine);
/// Others stand on its images, or may: nothing is written there, and a patch is published as a new version.
[[nodiscard]] bool must_publish(const Machine& machine);
/// Why no patched copy can take the place of the machine's disks; like write_obstacles(), but for who stands on them, and with what such a copy
/// cannot be: of a bare image, of a disk that is no file, of a disk that has snapshots.
std::vector<std::string> publish_obstacles(const Machine& machine);
/// Why it cannot be patched, in the one of these two ways that it has to be.
std::vector<std::string> patch_obstacles(const Machine& machine);

}  // namespace vmpatch::inventory
