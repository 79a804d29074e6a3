#include <cstdlib>
#include <string_view>
#include <system_error>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"

namespace vmpatch::inventory {
namespace {

/// As GLib does for libvirt: a relative path counts as none.
fs::path user_folder(const char* variable, const fs::path& otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value == '/' ? fs::path(value) : otherwise;
}

LibvirtFolders session_folders() {
  const fs::path home = user_folder("HOME", "/");
  const fs::path config = user_folder("XDG_CONFIG_HOME", home / ".config") / "libvirt/qemu";
  const fs::path cache = user_folder("XDG_CACHE_HOME", home / ".cache");
  const fs::path runtime = user_folder("XDG_RUNTIME_DIR", cache) / "libvirt";
  return {config, runtime / "qemu/run", config / "save", cache / "libvirt/qemu/log", config.parent_path() / "storage",
          runtime / "storage/run", runtime};
}

bool may_hold(const fs::path& folder, std::string_view end) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().native().ends_with(end)) return true;
  }
  return error && error != std::errc::no_such_file_or_directory;
}

}  // namespace

bool may_hold_machines(const LibvirtFolders& folders) {
  return may_hold(folders.definitions, ".xml") || may_hold(folders.status, ".xml") || may_hold(folders.saves, ".save");
}

std::optional<LibvirtFolders> libvirt_folders(const std::string& uri) {
  const std::string address = uri.substr(0, uri.find('?'));
  if (uri.find("socket=") != std::string::npos) return std::nullopt;
  for (const char* driver : {"qemu://", "qemu+unix://"}) {
    if (address == std::string(driver) + "/system") {
      return LibvirtFolders{"/etc/libvirt/qemu", "/run/libvirt/qemu", "/var/lib/libvirt/qemu/save", "/var/log/libvirt/qemu",
                            "/etc/libvirt/storage", "/run/libvirt/storage", "/run/libvirt"};
    }
    if (address == std::string(driver) + "/session") return session_folders();
  }
  return std::nullopt;
}

LeftBehind unknown_folders(const std::string& uri) {
  return {{}, {fmt::format("where {} keeps its machines is not known", escape_untrusted(uri))}};
}

}  // namespace vmpatch::inventory
