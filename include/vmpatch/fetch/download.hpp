#pragma once
// Whole files and whole texts, from http, https and file: URLs.

#include <filesystem>
#include <string>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {

/// What content has to be.
struct Expected {
  Digest sha256{};
  std::uint64_t size = 0;
};

/// The content, open to read from its start; it lies in `folder`, which exists, under the 64 hex digits of its digest, and stays there. Content
/// that is there already is hashed and not fetched. Otherwise it comes into HEX.part and is hashed on the way; a part that is there,
/// of a download that was killed or cut off, is hashed again and gone on with. Another vm-patch that fetches the same content is
/// waited for (it ends by its own limits), and what it fetched is taken.
///
/// Plain http is fine here, whatever access.allow_http says. access.limits.overall gets one more second for each 64 KiB. A
/// connection that breaks after something came is made again, up to five times.
///
/// Errors: untrusted (more bytes than `size`, or another digest, even when fetched without an old part: nothing of it stays), refused (what has
/// one of these names is no file of ours), and those of Session::fetch(); then the part stays for the next try.
Result<UniqueFd> download(Session& session, const std::string& url, const Access& access, const Expected& expected, const std::filesystem::path& folder);

struct Fetched {
  std::string content;  ///< empty when unchanged
  std::string etag, last_modified;
  bool unchanged = false;
};

/// The whole content, at most request.max_bytes; nobody has vouched for it. request.offset does not count. A file's etag tells its
/// inode, size and times; it has no last_modified. Errors: those of Session::fetch(); of file: URLs not_found and refused (no regular file).
Result<Fetched> read_url(Session& session, const Request& request);

}  // namespace vmpatch::fetch
