#include "engine/steps/step.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {

Result<void> apply_run(const StepContext& context, const recipe::step::Run& step) {
  const auto script = "/var/tmp/vm-patch-run-" + random_uuid();
  VMPATCH_CHECK(place_payload(context, step.payload, script, 0700));
  std::vector<std::string> argv{script};
  argv.insert(argv.end(), step.args.begin(), step.args.end());
  auto ran = run_in_guest(context, argv, step.timeout, step.payload);
  auto removed = context.guest.remove(script);
  if (!ran) return ran;
  return removed;
}

}  // namespace vmpatch::engine
