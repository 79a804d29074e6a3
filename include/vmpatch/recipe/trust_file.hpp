#pragma once
// trust.yaml ⇄ Keyring. Schema vm-patch/trust/v1: thresholds, keys [{name, role, type, public_key (PEM), expires, revoked,
// reason} or {…, certificate (PEM)}], authorities, crls.

#include <filesystem>

#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::recipe {

/// A missing file is an empty keyring (which verifies nothing). Errors are Errc::usage with line and column. A file that
/// others than its owner can write is Errc::refused.
Result<trust::Keyring> load_trust_file(const std::filesystem::path& path);
Result<void> save_trust_file(const std::filesystem::path& path, const trust::Keyring& keyring);

}  // namespace vmpatch::recipe
