#include "cli/doctor/checks.hpp"

#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/opener.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/proof/boot.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::cli {
namespace {

Finding check_program(const std::string& name, const std::string& argument, const std::string& remedy) {
  Command command;
  command.argv = {name, argument};
  const auto output = run_checked(command);
  if (!output) return {name, Health::bad, fmt::format("{}; {}", output.error().message, remedy)};
  return {name, Health::good, std::string(split(output->out, '\n').front())};
}

Finding check_accelerator(const Context& context) {
  const auto answer = guest::find_accelerator(context.paths.cache);
  if (!answer) return {"acceleration", Health::bad, answer.error().message};
  if (answer->accelerator == guest::Accelerator::kvm) return {"acceleration", Health::good, answer->reason};
  return {"acceleration", Health::warning, fmt::format("TCG: {}; an appliance takes about 13 s to start", answer->reason)};
}

Finding check_kernel() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/boot", error)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("vmlinuz-")) continue;
    const auto modules = fs::path("/lib/modules") / name.substr(8);
    if (fs::exists(modules, error) && ::access(entry.path().c_str(), R_OK) == 0) return {"kernel", Health::good, name};
  }
  return {"kernel", Health::bad, "no readable kernel with modules in /boot for the appliance; install linux-image-amd64"};
}

/// Distributions pack the appliance's tools of XFS apart (libguestfs-xfs); its file names them in supermin.d.
Finding check_xfs() {
  const std::string what = "file systems";
  std::error_code error;
  std::vector<fs::path> libraries{"/usr/lib64"};
  for (const auto& entry : fs::directory_iterator("/usr/lib", error)) libraries.push_back(entry.path());
  for (const auto& library : libraries) {
    for (const auto& entry : fs::directory_iterator(library / "guestfs/supermin.d", error)) {
      if (entry.path().filename().string().ends_with("packages-xfs")) return {what, Health::good, "ext2, ext3, ext4, btrfs, XFS"};
    }
  }
  return {what, Health::warning, "ext2, ext3, ext4, btrfs; the appliance cannot check XFS, so machines with it are not patched: install libguestfs-xfs"};
}

Finding check_helpers() {
  std::size_t found = 0;
  for (const char* name : {"vm-patch-guest", "vm-patch-appliance", "vm-patch-augeas", "vm-patch-rpmdb", "vm-patch-fetch", "vm-patch-proof",
                           "vm-patch-libvirt.so", "vm-patch-nbd.so"}) {
    const auto program = std::string_view(name).ends_with(".so") ? internal_plugin(name) : internal_program(name);
    if (!program) return {"helper programs", Health::bad, program.error().message};
    ++found;
  }
  return {"helper programs", Health::good, fmt::format("{} found", found)};
}

/// Starts a confined reader.
Finding check_reading() {
  if (const auto started = guest::try_direct_reader(); !started) {
    return {"direct reading", Health::bad, fmt::format("the confined reader does not start: {}", started.error().message)};
  }
  std::error_code error;
  if (!fs::exists("/usr/bin/qemu-system-x86_64-microvm", error)) {
    return {"direct reading", Health::warning, "there is no qemu-system-x86_64-microvm: each read takes some 10 ms longer"};
  }
  return {"direct reading", Health::good, "without an appliance where the guest has ext2, ext3 or ext4"};
}

/// What boot proofs of machines with UEFI need.
Finding check_boot_proof() {
  proof::Hardware uefi;
  uefi.efi = true;
  const std::string what = "boot proof";
  if (const auto bios = proof::check_bootable({}, {}, ""); !bios) return {what, Health::warning, bios.error().message};
  if (const auto found = proof::check_bootable(uefi, {}, ""); !found) return {what, Health::warning, "BIOS only: " + found.error().message};
  return {what, Health::good, "BIOS and UEFI"};
}

Finding check_connection(const std::string& uri, Log& log) {
  const auto host = inventory::make_libvirt_source(uri, log)->list();
  if (!host.problem.empty()) return {uri, Health::warning, host.problem};
  return {uri, Health::good, fmt::format("{} machines", host.machines.size())};
}

Finding check_keys(const Context& context) {
  const auto keyring = recipe::load_trust_file(context.paths.trust);
  if (!keyring) return {"trust", Health::bad, keyring.error().message};
  if (keyring->keys.empty()) {
    return {"trust", Health::warning, fmt::format("no key is trusted in {}; see vm-patch key trust", context.paths.trust.string())};
  }
  return {"trust", Health::good, fmt::format("{} keys in {}", keyring->keys.size(), context.paths.trust.string())};
}

Finding check_state(const Context& context) {
  auto dir = context.paths.state;
  while (!fs::exists(dir) && dir.has_relative_path()) dir = dir.parent_path();
  if (::access(dir.c_str(), W_OK) != 0) return {"state", Health::bad, fmt::format("{} is not writable for this user", dir.string())};
  const auto room = free_space(dir);
  if (!room) return {"state", Health::bad, room.error().message};
  return {"state", *room < (2ULL << 30U) ? Health::warning : Health::good,
          fmt::format("{}, {} free", context.paths.state.string(), format_size(*room))};
}

}  // namespace

std::vector<Finding> check_host(Context& context) {
  std::vector<Finding> findings;
  findings.push_back(check_program("qemu-img", "--version", "install qemu-utils"));
  findings.push_back(check_program("qemu-system-x86_64", "--version", "install qemu-system-x86"));
  findings.push_back(check_program("supermin", "--version", "install supermin"));
  findings.push_back(check_helpers());
  findings.push_back(check_reading());
  findings.push_back(check_account());
  findings.push_back(check_confinement());
  findings.push_back(check_landlock());
  findings.push_back(check_kernel());
  findings.push_back(check_xfs());
  findings.push_back(check_accelerator(context));
  findings.push_back(check_boot_proof());
  for (const auto& uri : context.connect) findings.push_back(check_connection(uri, context.log));
  findings.push_back(check_state(context));
  findings.push_back(check_keys(context));
  return findings;
}

}  // namespace vmpatch::cli
