#pragma once
// Signed text, and who signed it.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "repository/openpgp/status.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::openpgp {

struct SignedText {
  std::string text;  ///< what gpgv says was signed
  std::vector<Signer> signers;
};

/// A cleartext-signed message (RFC 4880, section 7), verified by the keys of these files. `scratch`: where a folder for gpgv is made.
/// Errors: untrusted (see good_signers(); no keyring), not_found (a keyring file, gpgv), failed.
Result<SignedText> verify_clearsigned(std::string_view message, const std::vector<std::filesystem::path>& keyrings,
                                      const std::filesystem::path& scratch);

}  // namespace vmpatch::repository::openpgp
