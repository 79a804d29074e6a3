#pragma once
// New versions of an image: files of their own beside it.

#include "vmpatch/image/chain.hpp"

namespace vmpatch::image {

/// /images/web.qcow2 → /images/web.v2.qcow2; of /images/web.v2.qcow2 the same with v3. One more than the highest number that the folder
/// has of it, at least 2. An end that does not begin with a letter ("debian-12.5") belongs to the name. `taken`: names that are to be had by others, too. Errc::failed: the folder cannot be read.
Result<fs::path> next_version(const fs::path& image, const std::vector<fs::path>& taken = {});

/// Makes the file (0600; must not exist) and opens it: all zeros, sparse, without a backing file. Errors: those of create_own_image().
Result<Chain> create_image(const fs::path& path, Format format, std::uint64_t virtual_size);

/// Owner, group, mode, ACL and SELinux label of another image. Durable on return.
Result<void> take_attributes(const Layer& from, const Chain& to);

/// Gives it its name. Errc::refused: there is such a file already. Durable on return.
Result<void> rename_image(const fs::path& from, const fs::path& to);

/// Removes the file of this name, if it is the one of this file_id(). Value: whether it was there. Durable on return. Errc::refused: another file
/// has its name.
Result<bool> remove_image(const fs::path& path, const std::string& file_id);

}  // namespace vmpatch::image
