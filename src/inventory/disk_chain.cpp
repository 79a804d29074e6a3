#include <algorithm>
#include <cctype>

#include "inventory/names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {

std::string shown_name(const Machine& machine) {
  return (machine.bare ? "image " : "machine ") + escape_untrusted(machine.name);
}

std::string shown_in_command(const Machine& machine) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  const bool plain = !machine.name.empty() && machine.name.front() != '-' && std::all_of(machine.name.begin(), machine.name.end(), is_plain);
  return plain ? machine.name : machine.uuid;
}

std::string shown_disk(const Machine& machine, const Disk& disk) {
  if (machine.bare) return shown_name(machine);
  return "disk " + escape_untrusted(disk.target) + " of " + escape_untrusted(machine.name);
}

std::string shown_problem(const Machine& machine, const Disk& disk) {
  const auto name = shown_disk(machine, disk);
  return disk.problem.starts_with(name) ? disk.problem : name + ": " + disk.problem;
}

std::string name_unopened(const Machine& machine, const Disk& disk, const fs::path& file) {
  return fmt::format("{} stands on {}, which is not opened because it lies outside of the allowed folders or is a link, so what that one "
                     "stands on is not known; allow its folder with --allow-backing, or say with --not-a-clone {} that nothing that is patched is below it",
                     shown_disk(machine, disk), escape_untrusted(file.native()), escape_untrusted(disk.source ? disk.source->native() : ""));
}

Result<void> check_usable(const Machine& machine, const Disk& disk) {
  const std::string name = shown_disk(machine, disk);
  if (!machine.local) {
    return fail(Errc::refused, "{} is on {}, not on this computer; run vm-patch on that host", name, machine.host);
  }
  if (!disk.source) {
    if (disk.source_kind == "volume" && !disk.problem.empty()) return fail(Errc::refused, "{}: {}", name, disk.problem);
    return fail(Errc::refused, "{} is of kind {} without a local file or block device; vm-patch can only patch local images",
                name, escape_untrusted(disk.source_kind));
  }
  if (!disk.format) {
    return fail(Errc::refused, "{} has no format in its XML, and vm-patch never guesses one; add <driver name='qemu' type='qcow2'/> "
                "or type='raw' with virsh edit", name);
  }
  if (auto format = image::parse_format(*disk.format); !format) return format.error().in(name);
  return {};
}

Result<image::Chain> open_chain(const Disk& disk, const std::vector<fs::path>& allowed_dirs) {
  VMPATCH_TRY(const auto format, image::parse_format(disk.format.value_or("")));
  image::OpenPolicy policy;
  policy.allowed_dirs = allowed_dirs;
  policy.configured = disk.configured_chain;
  if (!disk.snapshot.empty()) policy.snapshot = disk.snapshot;
  return image::Chain::open(*disk.source, format, policy);
}

Result<image::Chain> open_disk_chain(const Machine& machine, const Disk& disk, const std::vector<fs::path>& allowed_dirs) {
  VMPATCH_CHECK(check_usable(machine, disk));
  if (!disk.problem.empty()) return make_error(Errc::refused, shown_problem(machine, disk));
  auto chain = open_chain(disk, allowed_dirs);
  if (!chain && !machine.bare) return chain.error().in(shown_disk(machine, disk));
  return chain;
}

}  // namespace vmpatch::inventory
