#include "cli/common/fleet_facts.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace vmpatch::cli {
namespace {

MachineFacts read_one(engine::ReadEnvironment& environment, const inventory::Machine& machine, bool fresh) {
  auto inspection = engine::inspect(environment, machine, fresh);
  if (!inspection) return {machine, inspection.error(), false, environment.clock.now()};
  return {machine, std::move(inspection->facts), inspection->cached, inspection->read};
}

}  // namespace

void read_fleet(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const FleetOptions& options,
                const std::function<void(MachineFacts)>& each) {
  auto& environment = setup.reading();
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::vector<std::optional<MachineFacts>> early(machines.size());  // came before one of a lower number
  std::size_t handed_out = 0;
  // Children die with the thread that started them, so each machine is read in one thread.
  const auto work = [&] {
    for (auto i = next.fetch_add(1); i < machines.size(); i = next.fetch_add(1)) {
      auto facts = read_one(environment, machines[i], options.fresh);
      const std::lock_guard lock(mutex);
      early[i] = std::move(facts);
      for (; handed_out < early.size() && early[handed_out]; ++handed_out) {
        each(std::move(*early[handed_out]));
        early[handed_out].reset();
      }
    }
  };
  const auto jobs = std::min<std::size_t>(std::max(1U, options.jobs == 0 ? setup.policy().jobs : options.jobs), machines.size());
  if (jobs <= 1) return work();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < jobs; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
}

}  // namespace vmpatch::cli
