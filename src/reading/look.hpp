#pragma once
// What is kept of a machine as long as its disks do not change, and read again else.

#include <optional>
#include <string>

#include "vmpatch/reading/reading.hpp"

namespace vmpatch::reading {

/// What is in the cache under this name ("" = facts) of exactly these disks. Errors: of opening the disks.
Result<std::optional<ledger::CachedFacts>> find_kept(const Environment& environment, const inventory::Machine& machine, const std::string& name);

/// Ends the reading. What was read is kept, unless the machine's disks are of those whose identity does not tell.
Result<void> finish_and_keep(const Environment& environment, const inventory::Machine& machine, const std::string& name, Reading& reading,
                             const std::function<std::string()>& text, Time read);

template <class Value>
struct Looked {
  Value value;
  bool cached = false;
  Time read{};
};

/// Kind: name, Result<Value> ask(Reading&), std::string to_text(const Value&), Result<Value> from_text(const std::string&).
template <class Kind>
auto look(const Environment& environment, const inventory::Machine& machine, bool fresh, const Kind& kind) -> Result<Looked<typename Kind::Value>> {
  if (!fresh) {
    VMPATCH_TRY(const auto kept, find_kept(environment, machine, kind.name));
    if (kept) {
      // Text of another version of this program is none.
      if (auto value = kind.from_text(kept->facts)) return Looked<typename Kind::Value>{std::move(*value), true, kept->read};
    }
  }
  environment.observer.step(machine, "reading the guest");
  VMPATCH_TRY(auto reading, Reading::open(environment, machine));
  VMPATCH_TRY(auto value, kind.ask(reading));
  const Time read = environment.clock.now();
  VMPATCH_CHECK(finish_and_keep(environment, machine, kind.name, reading, [&] { return kind.to_text(value); }, read));
  return Looked<typename Kind::Value>{std::move(value), false, read};
}

}  // namespace vmpatch::reading
