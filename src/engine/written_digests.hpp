#pragma once
// What a run wrote, by digest: how a later rollback tells how much of it somebody else has overwritten since.

#include <string>
#include <vector>

#include "vmpatch/image/extents.hpp"

namespace vmpatch::engine {

/// "vm-patch/written/v1", then a line "OFFSET LENGTH SHA256" a piece.
std::string format_digests(const std::vector<image::PieceDigest>& digests);
/// Strict: anything else is Errc::failed, with `name` and the line.
Result<std::vector<image::PieceDigest>> parse_digests(std::string_view text, std::string_view name);

}  // namespace vmpatch::engine
