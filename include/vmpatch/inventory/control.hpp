#pragma once
// The Control port: what is changed of a machine's definition.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/log.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::inventory {

namespace fs = std::filesystem;

/// Of one disk: another image file takes the place of the one that the definition names.
struct DiskMove {
  std::string target;  ///< vda
  fs::path from;       ///< absolute; what the definition names now
  fs::path to;         ///< absolute; in the same folder, of the same format, without a backing file
};

class Control {
 public:
  virtual ~Control() = default;
  /// All moves in one definition, everything else of it as it is; storage pools of the folders are read again, so that they list the new
  /// files. On success the host has answered that its definition names them. Errors: refused, nothing was changed (a disk is not at `from`);
  /// anything else: it may have been changed, look.
  virtual Result<void> move_disks(const std::string& uuid, const std::vector<DiskMove>& moves) = 0;
};

/// Connects when it is first used, for writing. A host that is silent for 60 s is Errc::timeout. Target: inventory_libvirt.
std::unique_ptr<Control> make_libvirt_control(const std::string& uri, Log& log);

/// Pure: domain XML with these disks moved: a file's path, a volume's name; what it says of their backing files goes. Bounds and errors are
/// those of parse_domain_xml; refused: a disk that is not at `from`, or is neither a file nor a volume. Target: inventory_xml.
Result<std::string> with_moved_disks(std::string_view xml, const std::vector<DiskMove>& moves);

}  // namespace vmpatch::inventory
