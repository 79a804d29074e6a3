#include "engine/steps/step.hpp"
#include "engine/unmet.hpp"

namespace vmpatch::engine {
namespace {

// Each script runs once, in the order of names; one that fails stays and is tried at the next boot.
constexpr const char* unit_text =
    "[Unit]\n"
    "Description=Scripts that vm-patch left for the first boot\n"
    "ConditionDirectoryNotEmpty=/var/lib/vm-patch/firstboot.d\n"
    "After=local-fs.target network-online.target\n"
    "Wants=network-online.target\n"
    "\n"
    "[Service]\n"
    "Type=oneshot\n"
    "ExecStart=/bin/sh -c 'for script in /var/lib/vm-patch/firstboot.d/*; do case \"$script\" in *.done) continue;; esac; "
    "\"$script\" && mv \"$script\" \"$script.done\" || failed=1; done; exit ${failed:-0}'\n"
    "\n"
    "[Install]\n"
    "WantedBy=multi-user.target\n";

}  // namespace

Result<void> apply_firstboot(const StepContext& context, const recipe::step::Firstboot& step) {
  const auto& script = context.job.recipe.get().find_payload(step.payload)->sha256;
  VMPATCH_TRY(const bool done, firstboot_has_run(context.guest, step, script));
  if (done && context.placed.contains({step.payload, script})) return {};
  // No run of this machine has left that mark: the script runs once more, and marks itself.
  if (done) VMPATCH_CHECK(context.guest.remove(firstboot_script(step) + ".done"));
  const std::string units = "/etc/systemd/system";
  VMPATCH_CHECK(context.guest.make_dirs("/var/lib/vm-patch/firstboot.d"));
  VMPATCH_CHECK(context.guest.put_file(firstboot_script(step), {{}, step.payload}, {0755, 0, 0}));
  VMPATCH_CHECK(context.guest.put_file(firstboot_unit_path, {unit_text, {}}, {0644, 0, 0}));
  VMPATCH_CHECK(context.guest.make_dirs(units + "/multi-user.target.wants"));
  return context.guest.symlink(firstboot_unit_path, units + "/multi-user.target.wants/" + firstboot_unit);
}

}  // namespace vmpatch::engine
