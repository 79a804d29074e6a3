#pragma once
// What every question starts from: the machines, what is on them, how they are used, and the feeds.

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "vmpatch/fleet/facts.hpp"
#include "vmpatch/fleet/feeds.hpp"
#include "vmpatch/fleet/starts.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::fleet {

/// Which machines, how they are read, and what they are compared with.
struct SurveyRequest {
  MachineOptions machines;
  FeedOptions feeds;
  FleetOptions reading;
};

enum class FeedNeed { none, if_named, required };

struct SurveyOptions {
  FeedNeed feeds = FeedNeed::required;
  bool snapshots = false;   ///< what the machines can be reverted to is assessed, too
  bool everything = false;  ///< vulnerabilities of packages that no machine has are kept, too
};

/// So many of all have been read: of "machines", or of their "snapshots". One call at a time.
using TellProgress = std::function<void(std::string_view what, std::size_t done, std::size_t total)>;

class Survey {
 public:
  /// Reads the machines that are asked for. Errc::usage: feeds are required and none is named.
  static Result<Survey> make(const Invocation& invocation, const SurveyRequest& request, const SurveyOptions& wanted, Log& log,
                             const TellProgress& tell);

  [[nodiscard]] Time now() const { return head_.time; }
  [[nodiscard]] const std::vector<MachineFacts>& machines() const { return machines_; }
  /// How far behind a machine of machines() would be at each of its snapshots, in their order. Only with SurveyOptions::snapshots.
  [[nodiscard]] const std::vector<Result<report::Lag>>& snapshots(std::size_t machine) const { return snapshots_.at(machine); }
  [[nodiscard]] const inventory::Inventory& inventory() const { return inventory_; }
  /// Time, feeds, and what keeps the answer from being whole.
  [[nodiscard]] const report::ScanHead& head() const { return head_; }
  [[nodiscard]] unsigned jobs() const { return jobs_; }
  [[nodiscard]] const Starts& starts() const { return starts_; }
  [[nodiscard]] const std::optional<Feeds>& feeds() const { return feeds_; }

  /// Every finding of one machine; why it cannot be assessed otherwise. Feeds must be loaded.
  [[nodiscard]] Result<std::vector<advisory::Finding>> match(const MachineFacts& machine) const;
  /// Ranked and counted, then filtered. Thread-safe.
  [[nodiscard]] report::MachineScan assess(const MachineFacts& machine, const report::StatusFilter& filter, advisory::Detail detail) const;

 private:
  [[nodiscard]] advisory::Surroundings surroundings_of(const MachineFacts& machine) const;

  report::ScanHead head_;
  unsigned jobs_ = 1;
  std::vector<MachineFacts> machines_;
  std::vector<std::vector<Result<report::Lag>>> snapshots_;
  inventory::Inventory inventory_;
  Starts starts_;
  std::optional<Feeds> feeds_;
};

}  // namespace vmpatch::fleet
