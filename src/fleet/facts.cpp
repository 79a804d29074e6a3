#include "vmpatch/fleet/facts.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/reading/inspect.hpp"

namespace vmpatch::fleet {
namespace {

MachineFacts read_one(reading::Environment& environment, const inventory::Machine& machine, bool fresh) {
  auto inspection = attempt("read " + escape_untrusted(machine.name), [&] { return reading::inspect(environment, machine, fresh); });
  if (!inspection) return {machine, inspection.error(), false, environment.clock.now()};
  return {machine, std::move(inspection->facts), inspection->cached, inspection->read};
}

}  // namespace

bool is_in_use(const inventory::Machine& machine) {
  return machine.state == inventory::State::running || machine.state == inventory::State::paused ||
         machine.state == inventory::State::pmsuspended;
}

void read_fleet(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const FleetOptions& options,
                const std::function<void(MachineFacts)>& each) {
  auto& environment = setup.reading();
  std::mutex mutex;
  std::vector<std::optional<MachineFacts>> early(machines.size());  // came before one of a lower number
  std::size_t handed_out = 0;
  side_by_side(machines.size(), options.jobs == 0 ? setup.policy().jobs : options.jobs, [&](std::size_t i) {
    auto facts = read_one(environment, machines[i], options.fresh);
    const std::lock_guard lock(mutex);
    early[i] = std::move(facts);
    while (handed_out < early.size() && early[handed_out]) {
      MachineFacts next = std::move(*early[handed_out]);
      early[handed_out++].reset();  // handed out once, also where whoever gets it throws
      each(std::move(next));
    }
  });
}

}  // namespace vmpatch::fleet
