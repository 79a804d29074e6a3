#pragma once
// Folders as a libvirtd leaves them, with files made by hand.

#include <gtest/gtest.h>

#include "unit/inventory/images.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"

namespace vmpatch::test {

inline std::string file_disk(const fs::path& image, const std::string& format = "qcow2") {
  return "<disk type='file'><driver name='qemu' type='" + format + "'/><source file='" + image.string() + "'/><target dev='vda'/></disk>";
}

inline std::string domain_xml(const std::string& name, const std::string& disks) {
  return "<domain type='kvm'><name>" + name + "</name><uuid>" + named_uuid(name) + "</uuid><devices>" + disks + "</devices></domain>";
}

inline std::string little_endian(std::uint32_t number) {
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
  return bytes;
}

/// The head of a save file; `data` is what stands behind it.
inline std::string save_head(const std::string& data, const std::string& magic = "LibvirtQemudSave", std::uint32_t version = 2) {
  return magic + little_endian(version) + little_endian(static_cast<std::uint32_t>(data.size())) + std::string(92 - 24, '\0') + data;
}

class LibvirtFiles {
 public:
  LibvirtFiles() {
    for (const auto* folder : {&folders.definitions, &folders.status, &folders.saves, &folders.pools, &folders.pool_status}) fs::create_directories(*folder);
  }
  static void write(const fs::path& path, const std::string& content) {
    if (!write_file_atomic(path, content)) throw std::runtime_error("cannot write " + path.string());
  }
  void define(const std::string& name, const std::string& disks) { write(folders.definitions / (name + ".xml"), domain_xml(name, disks)); }
  void note(const std::string& name, const std::string& disks, int pid) {
    write(folders.status / (name + ".xml"), "<domstatus state='running' reason='booted' pid='" + std::to_string(pid) + "'>" + domain_xml(name, disks) + "</domstatus>");
  }
  void save(const std::string& name, const std::string& disks, const std::string& magic = "LibvirtQemudSave") {
    write(folders.saves / (name + ".save"), save_head(domain_xml(name, disks) + std::string(1, '\0') + "<cookie/>", magic) + std::string(5000, 'm'));
  }
  [[nodiscard]] inventory::LeftBehind load() const { return load_left_behind(folders); }

 private:
  Scratch root_;

 public:
  inventory::LibvirtFolders folders{root_ / "qemu", root_ / "run", root_ / "save", root_ / "log", root_ / "storage", root_ / "run-storage", root_ / "sockets"};
};

}  // namespace vmpatch::test
