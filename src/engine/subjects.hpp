#pragma once
// The packages that a recipe is about, as a guest has them.

#include <string>
#include <vector>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Subject {
  std::string name;
  const guest::Package* installed = nullptr;      ///< one for each architecture; null: the guest's database has none on its disk
  const plan::PayloadPackage* payload = nullptr;  ///< of that name and architecture; null: the recipe only checks it
  [[nodiscard]] bool exact() const;               ///< installed in the payload's version and architecture
  [[nodiscard]] bool older() const;               ///< than the payload: the steps say that it is not met
  [[nodiscard]] std::string text() const;         ///< "NAME VERSION", safe for a terminal
};

/// Of the packages steps, in their order, then of the package checks. Points into `job` and `facts`.
std::vector<Subject> find_subjects(const Job& job, const guest::Facts& facts);

}  // namespace vmpatch::engine
