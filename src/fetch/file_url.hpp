#pragma once
// Files of this machine, as URLs (RFC 8089).

#include <filesystem>
#include <string_view>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {

[[nodiscard]] bool is_file_url(std::string_view url);

/// file:///a%20b, file:/a%20b or file://localhost/a%20b. Errc::usage: another host, a query or fragment, a broken escape, a zero byte.
Result<std::filesystem::path> parse_file_url(std::string_view url);

struct LocalFile {
  UniqueFd fd;
  std::string etag;  ///< another one when the file was replaced or written
};

/// Errc::not_found; refused: a symbolic link, or no regular file.
Result<LocalFile> open_local(const std::filesystem::path& path);

/// The content from `offset` on.
Result<void> give_content(const LocalFile& file, std::uint64_t offset, const ContentSink& sink);

}  // namespace vmpatch::fetch
