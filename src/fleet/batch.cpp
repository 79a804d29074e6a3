#include "vmpatch/fleet/batch.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {

std::vector<BatchResult> apply_all(engine::Environment& environment, const engine::Job& job, const std::vector<inventory::Machine>& machines,
                                   unsigned jobs, const std::function<void(const BatchResult&)>& finished) {
  std::vector<BatchResult> results;
  for (const auto& machine : machines) results.push_back({machine, make_error(Errc::failed, "was not run")});
  side_by_side(results.size(), jobs, [&](std::size_t i) {
    auto& [machine, result] = results[i];
    const auto what = fmt::format("{}: cut off in its middle, 'vm-patch recover' ends it", escape_untrusted(machine.name));
    result = attempt(what, [&] { return engine::apply(environment, job, machine); });
    finished(results[i]);
  });
  return results;
}

int exit_code_of(const std::vector<BatchResult>& results) {
  for (const auto code : {Errc::recovery_needed, Errc::untrusted, Errc::busy, Errc::refused}) {
    for (const auto& entry : results) {
      if (!entry.result && entry.result.error().code == code) return exit_code(code);
    }
  }
  for (const auto& entry : results) {
    if (!entry.result) return exit_code(entry.result.error().code);
  }
  return 0;
}

}  // namespace vmpatch::fleet
