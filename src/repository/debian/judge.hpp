#pragma once
// What is refused although its signature is good. Pure.

#include <optional>
#include <string>

#include "repository/debian/release.hpp"
#include "vmpatch/repository/snapshot.hpp"

namespace vmpatch::repository::debian {

/// `seen`: what was accepted of this suite before. Errors: untrusted; the message begins with the attack: "freeze: …" (expired, or older than
/// max_age), "rollback: …" (older than what was seen), "another archive: …" (suite, codename, origin or label are not as asked or as before),
/// "snapshot: …" (not the pinned one), "clock: …" (made in the future).
Result<void> judge(const Source& source, const std::string& suite, const Release& release, const Digest& signed_file,
                   const std::optional<Seen>& seen, Time now);

/// Whether what was accepted may be used without asking a server: by the same configuration, keys included, not expired, and not of the future.
/// Errors: untrusted, and those of reading the keys.
Result<void> judge_kept(const Source& source, const Suite& suite, Time now);

/// Whether an accepted suite may still be used: it has not expired, and is not older than max_age. Errors as above.
Result<void> judge_age(const Source& source, Time date, std::optional<Time> valid_until, Time now);

}  // namespace vmpatch::repository::debian
