#include "fleet/fleet_reading.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

class Count {
 public:
  Count(const TellProgress& tell, std::string_view what, std::size_t total) : tell_(tell), what_(what), total_(total) { tell_(what_, 0, total_); }
  void advance() { tell_(what_, ++done_, total_); }

 private:
  const TellProgress& tell_;
  std::string_view what_;
  std::size_t total_, done_ = 0;
};

}  // namespace

std::vector<MachineFacts> read_machines(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const FleetOptions& options,
                                        const TellProgress& tell, Time now) {
  std::vector<inventory::Machine> idle;
  std::copy_if(machines.begin(), machines.end(), std::back_inserter(idle), [](const auto& machine) { return !is_in_use(machine); });
  Count count(tell, "machines", idle.size());
  std::vector<MachineFacts> all;
  const auto add_those_in_use = [&] {
    while (all.size() < machines.size() && is_in_use(machines[all.size()])) {
      const inventory::Machine& machine = machines[all.size()];
      all.push_back({machine, fail(Errc::busy, "{} is {}, so that its disks are not read; scan it when it is shut off",
                                   escape_untrusted(machine.name), inventory::to_string(machine.state)), false, now});
    }
  };
  add_those_in_use();
  read_fleet(setup, idle, options, [&](MachineFacts facts) {
    all.push_back(std::move(facts));
    add_those_in_use();
    count.advance();
  });
  return all;
}

std::vector<std::vector<Result<report::Lag>>> ask_snapshots(ReadSetup& setup, const std::vector<MachineFacts>& machines, const FleetOptions& options,
                                                            const TellProgress& tell, const AskSnapshot& ask) {
  std::vector<std::vector<Result<report::Lag>>> all(machines.size());
  std::vector<inventory::Machine> readable;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    if (!machines[i].facts) continue;
    for (const inventory::Snapshot& snapshot : machines[i].machine.snapshots) {
      // Until it is read; what the inventory knows of it stays.
      all[i].emplace_back(fail(Errc::refused, "{}", snapshot.problem));
      if (!snapshot.problem.empty()) continue;
      readable.push_back(inventory::at_snapshot(machines[i].machine, snapshot));
      places.emplace_back(i, all[i].size() - 1);
    }
  }
  Count count(tell, "snapshots", readable.size());
  std::size_t next = 0;
  read_fleet(setup, readable, options, [&](const MachineFacts& facts) {
    const auto& [machine, snapshot] = places[next++];
    all[machine][snapshot] = ask(facts);
    count.advance();
  });
  return all;
}

}  // namespace vmpatch::fleet
