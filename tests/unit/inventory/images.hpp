#pragma once
// Images of a few KiB in a folder that goes away, made by qemu-img.

#include <gtest/gtest.h>

#include <fstream>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::test {

inline void qemu_img(std::vector<std::string> words) {
  Command command;
  command.argv = {"qemu-img"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  const auto done = run_checked(command);
  if (!done) throw std::runtime_error(done.error().message);
}

class Images {
 public:
  std::filesystem::path raw(const std::string& name) {
    const auto path = folder_ / name;
    std::ofstream(path) << std::string(65536, 'r');
    return path;
  }
  std::filesystem::path qcow2(const std::string& name) {
    qemu_img({"create", "-q", "-f", "qcow2", (folder_ / name).string(), "1M"});
    return folder_ / name;
  }
  std::filesystem::path overlay(const std::string& name, const std::filesystem::path& base, const std::string& format = "qcow2") {
    qemu_img({"create", "-q", "-f", "qcow2", "-b", base.string(), "-F", format, (folder_ / name).string()});
    return folder_ / name;
  }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }

 private:
  Scratch folder_;
};

inline inventory::Machine machine(const std::string& name, const std::filesystem::path& image, const std::string& format = "qcow2") {
  inventory::Machine result;
  result.host = "test:///unit";
  result.name = name;
  result.uuid = named_uuid(name);
  result.state = inventory::State::shutoff;
  inventory::Disk disk;
  disk.target = "vda";
  disk.source = image;
  disk.source_kind = "file";
  disk.format = format;
  result.disks.push_back(disk);
  return result;
}

inline inventory::Inventory one_host(std::vector<inventory::Machine> machines) {
  inventory::Inventory result;
  result.hosts.emplace_back();
  result.hosts[0].host = "test:///unit";
  result.hosts[0].machines = std::move(machines);
  return result;
}

inline inventory::Inventory loaded(inventory::Inventory inventory, const inventory::ChainOptions& options = {}) {
  load_lineage(inventory, options);
  return inventory;
}

inline const inventory::Machine& named(const inventory::Inventory& inventory, const std::string& name) {
  for (const auto& host : inventory.hosts) {
    for (const auto& one : host.machines) {
      if (one.name == name) return one;
    }
  }
  throw std::runtime_error("no machine " + name);
}

}  // namespace vmpatch::test
