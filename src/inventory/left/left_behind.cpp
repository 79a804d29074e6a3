#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "inventory/left/pools.hpp"
#include "inventory/left/regular_file.hpp"
#include "inventory/left/save_file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_files = 20'000;
constexpr std::uint64_t max_xml = 4U << 20U;

bool is_alive(int pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

Result<LeftMachine> load_definition(const fs::path& path) {
  VMPATCH_TRY(const auto file, open_regular(path, Links::followed));
  VMPATCH_TRY(const auto text, read_range(file, 0, max_xml + 1));
  VMPATCH_TRY(auto machine, parse_domain_xml(text, path.native()));
  return LeftMachine{LeftMachine::Kind::defined, std::move(machine), path};
}

Result<LeftMachine> load_status(const fs::path& path) {
  VMPATCH_TRY(const auto file, open_regular(path, Links::followed));
  VMPATCH_TRY(const auto text, read_range(file, 0, max_xml + 1));
  VMPATCH_TRY(auto live, parse_domain_status(text, path.native()));
  const auto kind = is_alive(live.pid) ? LeftMachine::Kind::running : LeftMachine::Kind::noted;
  return LeftMachine{kind, std::move(live.machine), path};
}

// QEMU's account may write in this folder.
Result<LeftMachine> load_save(const fs::path& path) {
  VMPATCH_TRY(const auto file, open_regular(path, Links::refused));
  VMPATCH_TRY(const auto head, read_range(file, 0, save_file_head));
  VMPATCH_TRY(const auto xml, find_saved_xml(head, file.name));
  VMPATCH_TRY(auto machine, parse_domain_xml(xml, path.native()));
  return LeftMachine{LeftMachine::Kind::saved, std::move(machine), path};
}

/// libvirt may end a machine and start another while we look.
bool is_gone(const Error& error) { return error.code == Errc::not_found; }

class Loader {
 public:
  explicit Loader(const LibvirtFolders& folders) : pools_(folders) {}

  void load(const fs::path& folder, std::string_view end, Result<LeftMachine> (*load_one)(const fs::path&)) {
    for (const fs::path& path : list(folder, end)) {
      auto one = load_one(path);
      if (one) add(std::move(*one));
      if (!one && !is_gone(one.error())) found_.unread.push_back(one.error().message);
    }
  }

  LeftBehind finish() { return std::move(found_); }

 private:
  void add(LeftMachine one) {
    for (Disk& disk : one.machine.disks) {
      if (disk.source_kind != "volume") continue;
      disk.source = pools_.path_of(disk);
      if (disk.source) continue;
      found_.unread.push_back(fmt::format("{}: where volume {} of storage pool {} lies is not known", escape_untrusted(one.file.native()),
                                          escape_untrusted(disk.volume), escape_untrusted(disk.pool)));
    }
    found_.machines.push_back(std::move(one));
  }

  std::vector<fs::path> list(const fs::path& folder, std::string_view end) {
    std::vector<fs::path> files;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (!entry->path().native().ends_with(end)) continue;
      if (files.size() == max_files) {
        found_.unread.push_back(fmt::format("{} has more than {} files", escape_untrusted(folder.native()), max_files));
        break;
      }
      files.push_back(entry->path());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      found_.unread.push_back(errno_error(error.value(), "read folder " + escape_untrusted(folder.native())).message);
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  Pools pools_;
  LeftBehind found_;
};

}  // namespace

LeftBehind load_left_behind(const LibvirtFolders& folders) {
  Loader loader(folders);
  loader.load(folders.saves, ".save", load_save);
  loader.load(folders.status, ".xml", load_status);
  loader.load(folders.definitions, ".xml", load_definition);
  return loader.finish();
}

}  // namespace vmpatch::inventory
