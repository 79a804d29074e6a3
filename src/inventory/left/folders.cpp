#include <cstdlib>

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
  return {config, runtime / "qemu/run", config / "save", cache / "libvirt/qemu/log", runtime};
}

}  // namespace

std::optional<LibvirtFolders> libvirt_folders(const std::string& uri) {
  const std::string address = uri.substr(0, uri.find('?'));
  if (uri.find("socket=") != std::string::npos) return std::nullopt;
  for (const char* driver : {"qemu://", "qemu+unix://"}) {
    if (address == std::string(driver) + "/system") {
      return LibvirtFolders{"/etc/libvirt/qemu", "/run/libvirt/qemu", "/var/lib/libvirt/qemu/save", "/var/log/libvirt/qemu", "/run/libvirt"};
    }
    if (address == std::string(driver) + "/session") return session_folders();
  }
  return std::nullopt;
}

}  // namespace vmpatch::inventory
