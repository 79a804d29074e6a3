#include <unistd.h>

#include "cli/common/output.hpp"
#include "cli/gate/daemon.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "cli/gate/hook_file.hpp"
#include "cli/gate/proof.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/ledger.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::cli {
namespace {

/// False: no daemon runs, so that there is nobody to tell.
Result<bool> reload(const Context& context) {
  const auto pid = find_libvirt_daemon(gate_uri(context));
  if (!pid && pid.error().code == Errc::not_found) return false;
  if (!pid) return pid.error();
  VMPATCH_CHECK(reload_libvirt_daemon(*pid));
  return true;
}

Result<void> write_hook(const fs::path& hooks_dir, const std::string& script) {
  const HookState before = look_at_hook(hooks_dir);
  if (before.installed && !before.ours) {
    return fail(Errc::refused, "{} exists and is not ours; move it away first", hook_path(hooks_dir).string());
  }
  VMPATCH_CHECK(make_dirs(hook_path(hooks_dir).parent_path(), 0755));
  return write_file_atomic(hook_path(hooks_dir), script, 0755);
}

void report(const Context& context, const Json& result, const std::string& text) {
  if (context.options.json) {
    Json json{{"schema", "vm-patch/gate-install/v1"}};
    json.update(result);
    print_json(json);
  } else {
    print_text(text);
  }
}

}  // namespace

Result<int> install_gate(Context& context, const InstallOptions& options) {
  VMPATCH_TRY(const fs::path program, find_gate_program(options.program));
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  // Ledger and custody first: from the moment the hook is there, it needs them.
  VMPATCH_TRY(const auto store, fleet::open_audited(context, policy));
  VMPATCH_CHECK(fleet::publish_policy(context, *store, policy));
  VMPATCH_CHECK(ledger::CustodyStore::open(context.paths.custody()));
  const fs::path hook = hook_path(options.hooks_dir);
  VMPATCH_CHECK(store->audit("gate.install", hook.string(), {{"program", program.string()}}));
  VMPATCH_CHECK(write_hook(options.hooks_dir, hook_script(program, fs::absolute(context.paths.state))));
  VMPATCH_TRY(const bool running, reload(context));
  Json json{{"hook", hook.string()}, {"program", program.string()}, {"state", context.paths.state.string()},
            {"groups", policy.groups.size()}, {"daemon", running}, {"proof", nullptr}};
  std::string text = fmt::format("hook      {}\ncalls     {}\npolicy    {} group(s) published\n", hook.string(), program.string(),
                                 policy.groups.size());
  if (!running) {
    report(context, json, text + "daemon    none runs; it will find the hook when it starts\n");
    return options.proof ? Result<int>(fail(Errc::failed, "the hook is in place, but no libvirt daemon runs, so nothing is proven; start it and "
                                            "run 'vm-patch gate status'"))
                         : Result<int>(0);
  }
  if (options.proof) {
    VMPATCH_CHECK(prove_denial(context, gate_uri(context)));
    json["proof"] = "denied";
    text += "proof     a start was denied by this gate\n";
  }
  report(context, json, text);
  return 0;
}

namespace {

Result<void> audit_uninstall(Context& context, const fs::path& hook) {
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto store, fleet::open_audited(context, policy));
  return store->audit("gate.uninstall", hook.string(), Json::object());
}

}  // namespace

Result<int> uninstall_gate(Context& context, const InstallOptions& options) {
  const HookState hook = look_at_hook(options.hooks_dir);
  const fs::path path = hook_path(options.hooks_dir);
  if (!hook.installed) return fail(Errc::not_found, "there is no {}", path.string());
  if (!hook.ours) return fail(Errc::refused, "{} is not ours; it stays", path.string());
  // Where the records are damaged or have no room this is the way out: they must not prevent it.
  if (::unlink(path.c_str()) != 0) return errno_error(errno, "cannot remove " + path.string());
  VMPATCH_CHECK(fsync_dir(path.parent_path()));
  if (const auto written = audit_uninstall(context, path); !written) {
    context.log.warn("{} is removed, but the audit trail does not have it: {}", path.string(), written.error().message);
  }
  VMPATCH_TRY(const bool running, reload(context));
  report(context, {{"hook", path.string()}, {"removed", true}, {"daemon", running}},
         fmt::format("removed {}; machines start unchecked\n", path.string()));
  return 0;
}

Result<int> publish_gate(Context& context) {
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto store, fleet::open_audited(context, policy));
  VMPATCH_CHECK(fleet::publish_policy(context, *store, policy));
  if (context.options.json) {
    print_json({{"schema", "vm-patch/gate-publish/v1"}, {"file", context.paths.config.string()}, {"policy", policy::gate_policy_json(policy)}});
  } else {
    print_text(fmt::format("published {} group(s) of {}\n", policy.groups.size(),
                           context.paths.config.empty() ? "the defaults" : context.paths.config.string()));
  }
  return 0;
}

}  // namespace vmpatch::cli
