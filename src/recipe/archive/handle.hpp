#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

namespace vmpatch::recipe {

struct FreeRead {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
struct FreeWrite {
  void operator()(archive* handle) const {
    // Closing would finish a file that is being given up.
    archive_write_fail(handle);
    archive_write_free(handle);
  }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using ReadHandle = std::unique_ptr<archive, FreeRead>;
using WriteHandle = std::unique_ptr<archive, FreeWrite>;
using EntryHandle = std::unique_ptr<archive_entry, FreeEntry>;

/// libarchive's own words for its last failure.
inline std::string reason_of(archive* handle) {
  const char* text = archive_error_string(handle);
  return text == nullptr ? "no reason given" : text;
}

}  // namespace vmpatch::recipe
