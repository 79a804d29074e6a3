#include "guest/kernels.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "guest/optional_files.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_name_file = 4096;
constexpr std::size_t max_name = 255;
constexpr std::size_t max_module_folders = 64;  // that are asked for their package
constexpr std::size_t max_tokens = 16;

// What a boot loader starts comes first: beside vmlinuz there may be a vmlinux for debuggers.
constexpr std::array<std::string_view, 6> prefixes{"vmlinuz-", "Image-", "image-", "bzImage-", "kernel-", "vmlinux-"};

std::string_view suffix_after(std::string_view name, std::string_view prefix) {
  constexpr std::array<std::string_view, 16> leftovers{".old", ".bak", ".gz",  ".xz",   ".zst",  ".bz2", ".lz4",    ".hmac",
                                                       ".sig", ".p7s", ".asc", ".img", ".conf", ".efi", ".signed", "~"};
  if (!name.starts_with(prefix)) return {};
  const std::string_view suffix = name.substr(prefix.size());
  const bool leftover = std::any_of(leftovers.begin(), leftovers.end(), [&](std::string_view end) { return suffix.ends_with(end); }) ||
                        suffix.find(".dpkg-") != std::string_view::npos || suffix.find(".rpm") != std::string_view::npos;
  return leftover ? std::string_view() : suffix;
}

/// First line of a small file; "" where it is not there or holds no plain name.
Result<std::string> read_name(Guest& guest, const std::string& path) {
  VMPATCH_TRY(const auto text, read_lenient(guest, path, max_name_file));
  if (!text) return std::string();
  const std::string_view line = trim(std::string_view(*text).substr(0, text->find('\n')));
  const bool plain = line.size() <= max_name && line.find('/') == std::string_view::npos && line.find('\0') == std::string_view::npos;
  return std::string(plain ? line : std::string_view());
}

bool is_machine_id(std::string_view name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(Guest& guest) : guest_(guest) {}

  Result<std::vector<Kernel>> read() {
    VMPATCH_TRY(const auto boot, list_if_there(guest_, "/boot"));
    for (const char* folder : {"/lib/modules", "/usr/lib/modules"}) {
      VMPATCH_TRY(const auto modules, list_if_there(guest_, folder));
      for (const DirEntry& entry : modules) modules_.insert(entry.name);
    }
    for (const DirEntry& entry : boot) files_.insert(entry.name);
    for (const std::string_view prefix : prefixes) {
      for (const DirEntry& entry : boot) {
        const std::string_view suffix = entry.kind == FileKind::directory ? std::string_view() : suffix_after(entry.name, prefix);
        if (!suffix.empty()) VMPATCH_CHECK(add_file(entry.name, std::string(suffix)));
      }
    }
    VMPATCH_CHECK(add_tokens(boot));
    std::vector<Kernel> kernels;
    for (auto& [version, kernel] : kernels_) kernels.push_back(std::move(kernel));
    return kernels;
  }

 private:
  Result<void> add(const std::string& version, bool initrd, std::string file) {
    if (kernels_.contains(version)) return {};
    if (kernels_.size() == max_kernels) {
      return fail(Errc::failed, "/boot holds more than {} kernels; remove those that are not in use", max_kernels);
    }
    kernels_[version] = {version, initrd, modules_.contains(version), std::move(file)};
    return {};
  }

  Result<void> add_file(const std::string& name, const std::string& suffix) {
    std::string version = suffix;
    if (!is_kernel_version(suffix)) {
      VMPATCH_TRY(version, version_of_flavour(suffix));
      if (version.empty()) return {};
    }
    const bool initrd = files_.contains("initrd.img-" + suffix) || files_.contains("initramfs-" + suffix + ".img") ||
                        files_.contains("initrd-" + suffix) || files_.contains("initrd-" + suffix + ".img") ||
                        files_.contains("initramfs-" + suffix);
    return add(version, initrd, "/boot/" + name);
  }

  /// By what the package of the kernel leaves (Alpine, Arch), or by the one module folder that is named after it; else "".
  Result<std::string> version_of_flavour(const std::string& flavour) {
    VMPATCH_TRY(std::string release, read_name(guest_, fmt::format("/usr/share/kernel/{}/kernel.release", flavour)));
    if (is_kernel_version(release)) return release;
    VMPATCH_CHECK(read_bases());
    std::vector<std::string> found;
    for (const auto& [version, base] : bases_) {
      if (base == flavour) found.push_back(version);
    }
    if (found.empty()) {
      std::copy_if(modules_.begin(), modules_.end(), std::back_inserter(found),
                   [&](const std::string& version) { return is_kernel_version(version) && version.ends_with("-" + flavour); });
    }
    return found.size() == 1 ? found.front() : std::string();
  }

  Result<void> read_bases() {
    if (bases_read_) return {};
    bases_read_ = true;
    std::size_t count = 0;
    for (const std::string& version : modules_) {
      if (!is_kernel_version(version)) continue;
      if (++count > max_module_folders) break;
      VMPATCH_TRY(std::string base, read_name(guest_, fmt::format("/usr/lib/modules/{}/pkgbase", version)));
      if (!base.empty()) bases_.emplace_back(version, std::move(base));
    }
    return {};
  }

  Result<void> add_tokens(const std::vector<DirEntry>& boot) {
    VMPATCH_TRY(const std::string own, read_name(guest_, "/etc/kernel/entry-token"));
    std::size_t count = 0;
    for (const DirEntry& entry : boot) {
      if (entry.kind != FileKind::directory || (entry.name != own && !is_machine_id(entry.name))) continue;
      if (++count > max_tokens) break;
      const std::string folder = "/boot/" + entry.name;
      VMPATCH_TRY(const auto versions, list_if_there(guest_, folder));
      for (const DirEntry& version : versions) {
        if (version.kind == FileKind::directory && is_kernel_version(version.name)) VMPATCH_CHECK(add_installed(folder, version.name));
      }
    }
    return {};
  }

  Result<void> add_installed(const std::string& folder, const std::string& version) {
    const std::string place = fmt::format("{}/{}", folder, version);
    VMPATCH_TRY(const auto files, list_if_there(guest_, place));
    const auto any = [&](const auto& is) { return std::any_of(files.begin(), files.end(), [&](const DirEntry& e) { return is(e.name); }); };
    if (!any([](const std::string& name) { return name == "linux"; })) return {};
    return add(version, any([](const std::string& name) { return name.starts_with("initrd"); }), place + "/linux");
  }

  Guest& guest_;
  std::set<std::string> files_, modules_;
  std::map<std::string, Kernel> kernels_;
  std::vector<std::pair<std::string, std::string>> bases_;
  bool bases_read_ = false;
};

}  // namespace

bool is_kernel_version(std::string_view text) { return !text.empty() && text.front() >= '0' && text.front() <= '9'; }

std::string_view kernel_suffix(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view prefix : prefixes) {
    const std::string_view suffix = suffix_after(name, prefix);
    if (!suffix.empty()) return suffix;
  }
  return {};
}

Result<std::vector<Kernel>> read_kernels(Guest& guest) { return Reader(guest).read(); }

}  // namespace vmpatch::guest
