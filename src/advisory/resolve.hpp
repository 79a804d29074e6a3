#pragma once
// From what several records say of one package and one vulnerability to one status. The rules are in README.md.

#include <optional>
#include <string>
#include <vector>

#include "advisory/evaluate.hpp"

namespace vmpatch::advisory {

struct Outcome {
  Status status = Status::under_investigation;
  std::string fixed;
  std::string reason;
  std::string compared{};  ///< the version that is affected
};

/// A statement with the version that it is to be compared with: source and binary packages may differ.
struct Application {
  const Statement* statement = nullptr;
  const Version* version = nullptr;
};

/// Nothing when no record says anything of this version.
std::optional<Outcome> resolve(const std::vector<Application>& applications, const Evaluator& evaluator, const TextPool& texts);

/// "osv:DSA-5532-1".
std::string source_name(const Statement& statement, const TextPool& texts);

/// affected without a fix, affected with a fix, under investigation, not affected.
[[nodiscard]] inline bool worse(Status a, Status b) {
  const auto rank = [](Status status) { return status == Status::affected_unfixed ? -1 : static_cast<int>(status); };
  return rank(a) < rank(b);
}

}  // namespace vmpatch::advisory
