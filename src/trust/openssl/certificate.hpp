#pragma once
// X.509 for signing keys.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::trust {

/// Checks the first certificate of `chain_pem` (further ones are intermediates): it certifies the key `key_id`, chains
/// to one of `authorities_pem` (self-signed), is valid at `now`, has key usage digitalSignature and, when it has an
/// extended key usage, codeSigning in it; with CRLs every certificate of the chain must be covered by one and not be
/// revoked. All else is Errc::untrusted.
Result<void> check_certificate(std::string_view chain_pem, std::string_view key_id,
                               const std::vector<std::string>& authorities_pem,
                               const std::vector<std::string>& crls_pem, Time now);

}  // namespace vmpatch::trust
