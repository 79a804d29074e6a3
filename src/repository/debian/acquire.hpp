#pragma once
// A suite of a Debian archive, fetched and verified.

#include "repository/store.hpp"
#include "vmpatch/core/clock.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::repository::debian {

struct Surroundings {
  const Store& store;
  fetch::Session& session;
  const fs::path& scratch;
  Time now;
};

/// InRelease and the package lists of this suite, from the first address that answers. What a server says that is refused ends it: another
/// server is only asked when one does not answer. Nothing is remembered yet. Errors: untrusted (the attack's name and the evidence), failed,
/// timeout, not_found (key file, component or architecture that the suite does not have).
Result<Record> acquire(const Source& source, const std::string& suite, const std::optional<Record>& known, const Surroundings& surroundings);

}  // namespace vmpatch::repository::debian
