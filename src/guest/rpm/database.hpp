#pragma once
// The databases that librpm reads itself, and headers.

#include <functional>
#include <string>
#include <string_view>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::rpm {

using EachPackage = std::function<Result<void>(const Json&)>;

/// `backend` is librpm's word: sqlite, bdb_ro. `folder` holds the database and must be writable: SQLite's shared memory.
/// What librpm reports as an error, damaged headers that it would pass over included, is failed.
Result<void> for_each_package(const std::string& backend, const std::string& folder, const EachPackage& each);

/// Of one header as it lies in a database. A package of the key store (gpg-pubkey) is passed over.
Result<void> read_header(std::string_view header, const EachPackage& each);

}  // namespace vmpatch::guest::rpm
