#include "cli/common/machine_options.hpp"

#include <CLI/CLI.hpp>

namespace vmpatch::cli {

void add_machine_options(CLI::App& verb, fleet::MachineOptions& options) {
  verb.add_option("-d,--domain", options.domains, "machine of libvirt, by name or UUID; repeatable")
      ->type_name("NAME|UUID")->allow_extra_args(false);
  verb.add_option("-a,--add", options.images, "image file without a libvirt definition; repeatable")
      ->type_name("FILE")->allow_extra_args(false);
  verb.add_option("--format", options.format, "format of the -a images: raw or qcow2; never guessed")
      ->check(CLI::IsMember({"raw", "qcow2"}))->type_name("FORMAT");
  add_without_libvirt(verb, options);
  verb.add_option("--allow-backing", options.allow_backing, "folder in which backing files may lie; repeatable")
      ->type_name("DIR")->allow_extra_args(false);
  add_not_a_clone(verb, options.not_clones);
  verb.add_flag("--all", options.all, "every machine of the connected hosts");
  verb.add_option("--group", options.groups, "every machine of this group of the configuration or of the metadata; repeatable")
      ->type_name("NAME")->allow_extra_args(false);
  verb.add_option("--folder", options.folders, "every image below this folder: *.qcow2, *.raw, *.img; repeatable")
      ->type_name("DIR")->allow_extra_args(false);
}

void add_without_libvirt(CLI::App& verb, fleet::MachineOptions& options) {
  verb.add_flag("--without-libvirt", options.without_libvirt,
                "write images although a libvirt of this computer that has machines does not answer: machines that are not defined in "
                "its folders, and memory that was saved to a file, are then not known");
}

void add_not_a_clone(CLI::App& verb, std::vector<fs::path>& files) {
  verb.add_option("--not-a-clone", files, "this file is a raw disk, or no longer needed: no image has to be kept for it; repeatable")
      ->check(CLI::ExistingPath)->type_name("FILE")->allow_extra_args(false);
}

void add_boot_proof(CLI::App& verb, std::optional<policy::BootProof>& wanted) {
  verb.add_option_function<std::string>("--boot-proof",
                                        [&wanted](const std::string& word) {
                                          if (const auto parsed = policy::parse_boot_proof(word)) wanted = *parsed;
                                        },
                                        "start each patched machine once, on a copy without network, before its disks are written: always, never, or kernel "
                                        "(where what it starts from was changed) [boot_proof of its group or of the configuration, never]")
      ->check(CLI::IsMember({"always", "kernel", "never"}))->type_name("WHEN");
}

void add_snapshot_option(CLI::App& verb, fleet::MachineOptions& options) {
  verb.add_option("--snapshot", options.snapshot, "the machines as they would be after a revert to this snapshot; nothing is reverted")
      ->type_name("NAME")
      ->check([](const std::string& name) { return name.empty() ? std::string("the name is empty") : std::string(); });
}

}  // namespace vmpatch::cli
