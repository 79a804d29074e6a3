#include "engine/steps/step.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {

Result<void> apply_run(const StepContext& context, const recipe::step::Run& step) {
  // In memory: whatever becomes of the run, the script and its secrets are on no disk.
  const auto script = "/run/vm-patch-run-" + random_uuid();
  VMPATCH_CHECK(context.guest.put_file(script, {{}, step.payload}, {0700, 0, 0}));
  std::vector<std::string> argv{script};
  argv.insert(argv.end(), step.args.begin(), step.args.end());
  auto ran = run_in_guest(context, argv, step.timeout, step.payload);
  auto removed = context.guest.remove(script);
  if (!ran) return ran;
  return removed;
}

}  // namespace vmpatch::engine
