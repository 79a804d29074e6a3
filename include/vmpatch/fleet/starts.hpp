#pragma once
// How machines are used, by the gate's own records.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::fleet {

class Starts {
 public:
  /// Reads every record of STATE/custody.sqlite. Without that file the gate never ran, and nothing is known.
  static Result<Starts> load(const std::filesystem::path& custody);

  /// When the gate last saw it start.
  [[nodiscard]] std::optional<Time> last(const inventory::Machine& machine) const;
  /// Over the time since the gate's first record, but at least a week. Nothing for a machine that the gate cannot see.
  [[nodiscard]] std::optional<double> per_week(const inventory::Machine& machine, Time now) const;

 private:
  struct Count {
    std::size_t starts = 0;
    Time last{};
  };
  std::map<std::string, Count> by_uuid_;
  std::optional<Time> since_;
};

struct LastStart {
  Time time{};
  std::string source;  ///< "gate records", or the guest's file that says so
};
/// The newest trace: of the gate, or inside the guest (`facts` may be null). A time in the future is no trace.
std::optional<LastStart> find_last_start(const Starts& starts, const inventory::Machine& machine, const guest::Facts* facts, Time now);

}  // namespace vmpatch::fleet
