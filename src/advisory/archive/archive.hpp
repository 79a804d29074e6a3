#pragma once
// Packed feeds, through libarchive.

#include <functional>
#include <memory>
#include <string_view>

#include "advisory/byte_source.hpp"

namespace vmpatch::advisory {

struct ZipLimits {
  std::size_t entry = 16U << 20U;           ///< bytes of one entry, unpacked
  std::uint64_t entries = 2'000'000;
  std::uint64_t total = std::uint64_t{8} << 30U;  ///< bytes of all, unpacked
};

/// Every regular entry whose name ends in ".json", one after the other. `bytes` is empty with `too_large` for one above the limit.
using ZipVisit = std::function<Result<void>(std::string_view name, std::string_view bytes, bool too_large)>;
/// Errors: no zip, damaged (also at its end: what came before has been visited), above the limits.
Result<void> each_zip_entry(int fd, const ZipLimits& limits, const ZipVisit& visit);

/// The unpacked bytes of a gzip file, at most `max_bytes`.
Result<std::unique_ptr<ByteSource>> open_gzip(int fd, std::uint64_t max_bytes);

}  // namespace vmpatch::advisory
