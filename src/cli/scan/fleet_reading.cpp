#include "cli/scan/fleet_reading.hpp"

#include <unistd.h>

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// One live line for the whole fleet; nothing where nobody watches.
class FleetProgress {
 public:
  FleetProgress(ProgressDisplay& display, std::string_view what, std::size_t total)
      : display_(display), what_(what), total_(total), is_watched_(::isatty(STDERR_FILENO) == 1) {
    fleet_.name = "scan";
    fleet_.uuid = "scan";
    show();
  }
  void advance() {
    ++done_;
    show();
  }

 private:
  void show() {
    if (is_watched_) display_.step(fleet_, fmt::format("reading {}: {} of {}", what_, done_, total_));
  }
  ProgressDisplay& display_;
  inventory::Machine fleet_;
  std::string_view what_;
  std::size_t total_, done_ = 0;
  bool is_watched_;
};

}  // namespace

bool is_in_use(const inventory::Machine& machine) {
  return machine.state == inventory::State::running || machine.state == inventory::State::paused ||
         machine.state == inventory::State::pmsuspended;
}

std::vector<MachineFacts> read_machines(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const ScanOptions& options,
                                        ProgressDisplay& display, Time now) {
  std::vector<inventory::Machine> idle;
  std::copy_if(machines.begin(), machines.end(), std::back_inserter(idle), [](const auto& machine) { return !is_in_use(machine); });
  FleetProgress progress(display, "machines", idle.size());
  std::vector<MachineFacts> all;
  const auto add_those_in_use = [&] {
    while (all.size() < machines.size() && is_in_use(machines[all.size()])) {
      const inventory::Machine& machine = machines[all.size()];
      all.push_back({machine, fail(Errc::busy, "{} is {}, so that its disks are not read; scan it when it is shut off",
                                   escape_untrusted(machine.name), inventory::to_string(machine.state)), false, now});
    }
  };
  add_those_in_use();
  read_fleet(setup, idle, {options.fresh, options.jobs}, [&](MachineFacts facts) {
    all.push_back(std::move(facts));
    add_those_in_use();
    progress.advance();
  });
  return all;
}

std::vector<std::vector<Result<report::Lag>>> ask_snapshots(ReadSetup& setup, const std::vector<MachineFacts>& machines, const ScanOptions& options,
                                                            ProgressDisplay& display, const AskSnapshot& ask) {
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
  FleetProgress progress(display, "snapshots", readable.size());
  std::size_t next = 0;
  read_fleet(setup, readable, {options.fresh, options.jobs}, [&](const MachineFacts& facts) {
    const auto& [machine, snapshot] = places[next++];
    all[machine][snapshot] = ask(facts);
    progress.advance();
  });
  return all;
}

}  // namespace vmpatch::cli
