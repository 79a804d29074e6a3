#pragma once
// What is remembered of repositories, and where the files lie that their metadata names.

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/repository/snapshot.hpp"

namespace vmpatch::repository {

struct Record {
  Suite suite;               ///< what is used
  std::optional<Seen> seen;  ///< what nothing older is accepted than; nothing where all was pinned
};

/// STATE/repositories/NAME/SUITE.json (durable) and CACHE/repositories/HEX (of any process to read; may go at any time).
class Store {
 public:
  static Result<Store> open(const fs::path& state, const fs::path& cache);

  /// Nothing where nothing was accepted yet. Errors: failed (a damaged record; the message says the file).
  [[nodiscard]] Result<std::optional<Record>> find(const std::string& repository, const std::string& suite) const;
  /// Whole or not at all.
  Result<void> save(const Record& record) const;
  /// Of this repository nothing is known any more. False: nothing was.
  Result<bool> forget(const std::string& repository) const;
  /// Of several who refresh one repository one goes on; Errc::busy.
  [[nodiscard]] Result<UniqueFd> lock(const std::string& repository) const;

  /// Files that no record names and that are older than this go from the cache.
  void sweep(std::chrono::seconds age) const;

  [[nodiscard]] const fs::path& files() const { return files_; }
  /// The path whose ending tells the compression. The file is there and hashed just now, else not_found or untrusted. No link is followed
  /// but the one of that name, which leads to what was hashed.
  [[nodiscard]] Result<fs::path> open_file(const IndexFile& file) const;
  /// Puts content there.
  Result<IndexFile> keep(std::string_view content) const;
  /// The same for what `write` writes into a descriptor. Errc::untrusted: it is not that file.
  Result<void> keep_written(const IndexFile& file, const std::function<Result<void>(int fd)>& write) const;
  /// Nobody reads it any more.
  Result<void> drop(const IndexFile& file) const;
  /// What was downloaded into files() may be read by the programs that need it, under its name with an ending.
  Result<void> admit(const IndexFile& file, int fd) const;

 private:
  Store(fs::path records, fs::path files) : records_(std::move(records)), files_(std::move(files)) {}
  [[nodiscard]] fs::path record_file(const std::string& repository, const std::string& suite) const;
  fs::path records_, files_;
};

}  // namespace vmpatch::repository
