#pragma once
// What gpgv's status lines say. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::openpgp {

/// A good signature by a key of the keyring that has neither expired nor been revoked.
struct Signer {
  std::string fingerprint;  ///< of the primary key: hex, upper case
  std::string user;         ///< one of its user ids, escaped
  bool operator==(const Signer&) const = default;
};

/// At least one good signature of exactly one text; those of unknown keys beside it do not count, a bad one refuses all. Errors: untrusted,
/// with the reason (unsigned, unknown key with its id, expired key, revoked key, expired signature, changed content, weak digest, several
/// texts or broken data in one file).
Result<std::vector<Signer>> good_signers(std::string_view status_lines);

}  // namespace vmpatch::repository::openpgp
