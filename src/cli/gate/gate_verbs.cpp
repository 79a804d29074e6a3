#include "cli/gate/gate_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/verbs.hpp"

namespace vmpatch::cli {
namespace {

template <class Options>
void on_chosen(CLI::App* verb, Chosen& chosen, std::shared_ptr<Options> options, Result<int> (*run)(Context&, const Options&)) {
  verb->callback([&chosen, options, run] { chosen.action = [options, run](Context& context) { return run(context, *options); }; });
}

void add_hooks_dir(CLI::App* verb, InstallOptions& options) {
  verb->add_option("--hooks-dir", options.hooks_dir, "libvirt's folder of hooks [/etc/libvirt/hooks]")->type_name("DIR");
}

void add_install(CLI::App& gate, Chosen& chosen) {
  auto options = std::make_shared<InstallOptions>();
  auto* verb = gate.add_subcommand("install", "Put the hook in place, and prove that it denies a start");
  add_hooks_dir(verb, *options);
  verb->add_option("--program", options->program, "the vm-patch-gate to call")->type_name("FILE");
  verb->add_flag("!--no-proof", options->proof, "do not start a domain to see it denied");
  verb->footer("Writes HOOKS/qemu.d/50-vm-patch; a hook of your own (HOOKS/qemu or another file of qemu.d) stays and runs as before. "
               "Publishes the policy, makes the running libvirt daemon look for hooks again, and starts a domain without disks, which "
               "must be denied.\n\nExample:\n  vm-patch gate install");
  on_chosen(verb, chosen, options, install_gate);

  auto removal = std::make_shared<InstallOptions>();
  auto* uninstall = gate.add_subcommand("uninstall", "Remove the hook; machines start unchecked from then on");
  add_hooks_dir(uninstall, *removal);
  uninstall->footer("Removes nothing but HOOKS/qemu.d/50-vm-patch. Ledger and custody records stay.");
  on_chosen(uninstall, chosen, removal, uninstall_gate);
}

void add_status(CLI::App& gate, Chosen& chosen) {
  auto options = std::make_shared<InstallOptions>();
  auto* verb = gate.add_subcommand("status", "Say whether the gate works, and what it decided last");
  add_hooks_dir(verb, *options);
  verb->add_flag("!--no-proof", options->proof, "do not start a domain to see it denied");
  verb->footer("Exit code 3 when something is not as it should be.");
  on_chosen(verb, chosen, options, show_gate_status);
}

void add_explain(CLI::App& gate, Chosen& chosen) {
  auto options = std::make_shared<ExplainOptions>();
  auto* verb = gate.add_subcommand("explain", "Say what the gate would answer to a start now, and why");
  add_machine_options(*verb, options->machines);
  verb->footer("Records nothing. Exit code 0 when all would start, 3 otherwise.\n\nExample:\n  vm-patch gate explain -d web01");
  on_chosen(verb, chosen, options, explain_verdict);
}

void add_override(CLI::App& gate, Chosen& chosen) {
  auto options = std::make_shared<OverrideOptions>();
  auto* verb = gate.add_subcommand("override", "Break the glass: let one machine start once as it is");
  add_machine_options(*verb, options->machines);
  verb->add_option("--reason", options->reason, "why; it stays in the audit log")->required()->type_name("TEXT");
  verb->add_option("--for", options->duration, "how long it may be used, 4h at most [1h]")->type_name("TIME");
  verb->footer("Holds for the disks as they are now, for one start. The audit row is durable before it takes effect. What the machine does "
               "under it proves nothing: the next start needs an attestation again.\n\nExample:\n"
               "  vm-patch gate override -d web01 --reason 'incident 4711' --for 30m");
  on_chosen(verb, chosen, options, override_gate);
}

void add_forget_save(CLI::App& gate, Chosen& chosen) {
  auto options = std::make_shared<ForgetSaveOptions>();
  auto* verb = gate.add_subcommand("forget-save", "Say that the memory a machine was saved with (virsh save) is thrown away");
  add_machine_options(*verb, options->machines);
  verb->add_option("--reason", options->reason, "why; it stays in the audit log")->required()->type_name("TEXT");
  verb->footer("The hook sees that a machine's memory is saved, but not that its file is deleted. Until it is started again its disks belong "
               "to that memory: restored over other disks it destroys file systems. Delete the file first.\n\nExample:\n"
               "  vm-patch gate forget-save -d web01 --reason 'save file of the test is deleted'");
  on_chosen(verb, chosen, options, forget_save);
}

}  // namespace

void add_gate_verbs(CLI::App& app, Chosen& chosen) {
  auto* gate = app.add_subcommand("gate", "Keep unpatched machines from starting");
  gate->require_subcommand(1);
  add_install(*gate, chosen);
  add_status(*gate, chosen);
  add_explain(*gate, chosen);
  add_override(*gate, chosen);
  add_forget_save(*gate, chosen);
  auto* publish = gate->add_subcommand("publish", "Make the gate follow the configuration file as it is now");
  publish->footer("Writing commands do this by themselves when the file that was published last has changed.");
  publish->callback([&chosen] { chosen.action = publish_gate; });
  auto* rescans = gate->add_subcommand("rescans", "List machines whose disks changed without an attestation");
  rescans->footer("An entry goes when the machine is attested again: vm-patch verify -d NAME -r BUNDLE.");
  rescans->callback([&chosen] { chosen.action = list_rescans; });
}

}  // namespace vmpatch::cli
