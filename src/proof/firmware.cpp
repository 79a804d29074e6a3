#include "proof/firmware.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {
namespace {

constexpr std::uint64_t largest = 64U << 20U;

struct Known {
  const char* code;
  const char* variables;
  bool secure;
};
/// Where distributions have OVMF: Debian and Ubuntu, Fedora, Arch, SUSE.
constexpr std::array<Known, 10> known{{
    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", false},
    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd", false},
    {"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd", false},
    {"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd", false},
    {"/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin", false},
    {"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", true},
    {"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", true},
    {"/usr/share/OVMF/OVMF_CODE.secboot.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd", true},
    {"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd", true},
    {"/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin", true},
}};

bool is_file(const fs::path& path) {
  std::error_code error;
  return !path.empty() && fs::is_regular_file(path, error);
}

struct Files {
  fs::path code, variables;
};

Result<Files> host_files(bool secure) {
  for (const auto& one : known) {
    if (one.secure == secure && is_file(one.code) && is_file(one.variables)) return Files{one.code, one.variables};
  }
  return fail(Errc::not_found, "this host has no UEFI firmware{} for a boot proof; install it (package ovmf, edk2-ovmf)", secure ? " with secure boot" : "");
}

/// The variables that come with a code: by the table, or by its name.
fs::path variables_of(const fs::path& code) {
  for (const auto& one : known) {
    if (code == one.code) return one.variables;
  }
  std::string name = code.filename().string();
  for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{"CODE", "VARS"}, {"code", "vars"}}) {
    if (const auto at = name.find(from); at != std::string::npos) return code.parent_path() / name.replace(at, from.size(), to);
  }
  return {};
}

Result<Files> find_files(const Hardware& hardware) {
  if (hardware.code.empty()) return host_files(hardware.secure);
  Files files{hardware.code, {}};
  if (!hardware.code_is_flash) return files;
  for (const auto& path : {hardware.variables_template, variables_of(hardware.code)}) {
    if (!is_file(path)) continue;
    files.variables = path;
    return files;
  }
  return files;
}

Result<UniqueFd> memory_file(const std::string& content, const std::string& name) {
  UniqueFd file(::memfd_create("firmware", MFD_CLOEXEC));
  if (!file) return errno_error(errno, "cannot make a memory file");
  // QEMU maps whole sectors.
  constexpr std::size_t sector = 4096;
  if (content.empty() || content.size() % sector != 0) return fail(Errc::unsupported, "firmware {} has {} bytes, which is no image of it", escape_untrusted(name), content.size());
  VMPATCH_CHECK(write_all(file.get(), content));
  return file;
}

/// As QEMU is to open it: what is given read-only has to be a descriptor that only reads.
Result<UniqueFd> read_only(const UniqueFd& file) {
  UniqueFd again(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!again) return errno_error(errno, "cannot open a memory file again");
  return again;
}

Result<UniqueFd> copy_code(const fs::path& path) {
  if (!is_file(path)) return fail(Errc::not_found, "there is no firmware {}, with which the machine starts", escape_untrusted(path.string()));
  VMPATCH_TRY(const auto content, read_file(path, largest));
  return memory_file(content, path.string());
}

/// QEMU of the machine writes this file, and whoever takes that over: no link, no pipe.
std::optional<std::string> own_variables(const fs::path& path) {
  if (path.empty()) return std::nullopt;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  auto content = read_fd(file.get(), largest, path.string());
  return content ? std::optional(std::move(*content)) : std::nullopt;
}

Result<UniqueFd> copy_variables(const Hardware& hardware, const fs::path& fresh) {
  if (const auto own = own_variables(hardware.variables)) return memory_file(*own, hardware.variables.string());
  if (fresh.empty()) {
    return fail(Errc::not_found, "there are no variables for firmware {}: neither the machine's own ({}) nor those that it comes with",
                escape_untrusted(hardware.code.string()), escape_untrusted(hardware.variables.string()));
  }
  return copy_code(fresh);
}

}  // namespace

Result<Firmware> load_firmware(const Hardware& hardware) {
  Firmware firmware;
  if (!hardware.efi && hardware.code.empty()) return firmware;
  const bool q35 = hardware.machine.find("q35") != std::string::npos;
  if (hardware.secure && !q35) return fail(Errc::unsupported, "secure boot needs a machine of type q35");
  VMPATCH_TRY(const auto files, find_files(hardware));
  VMPATCH_TRY(firmware.code, copy_code(files.code));
  firmware.kind = hardware.code.empty() || hardware.code_is_flash ? FirmwareKind::split : FirmwareKind::whole;
  if (firmware.kind == FirmwareKind::whole) return firmware;
  VMPATCH_TRY(firmware.code, read_only(firmware.code));
  VMPATCH_TRY(firmware.variables, copy_variables(hardware, files.variables));
  return firmware;
}

}  // namespace vmpatch::proof
