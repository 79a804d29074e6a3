#pragma once
// Bundles as pax tar. No libarchive type shows here.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::recipe {

/// Reads an uncompressed tar from a file descriptor, member by member. Anything but plain regular files is
/// Errc::untrusted.
class TarReader {
 public:
  struct Member {
    std::string path;
    std::uint64_t size = 0;
  };
  /// `fd` must outlive the reader; `name` is for messages.
  static Result<TarReader> open(int fd, std::string name);
  TarReader(TarReader&&) noexcept;
  TarReader& operator=(TarReader&&) noexcept;
  ~TarReader();

  /// Nothing at the end of the archive.
  Result<std::optional<Member>> next();
  /// Bytes of the current member; 0 at its end.
  Result<std::size_t> read(char* buffer, std::size_t size);
  [[nodiscard]] const std::string& name() const;

  struct State;

 private:
  explicit TarReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Writes members with time 0, owner 0 and mode 0444, so that the same content gives the same bytes.
class TarWriter {
 public:
  static Result<TarWriter> open(int fd, std::string name);
  TarWriter(TarWriter&&) noexcept;
  TarWriter& operator=(TarWriter&&) noexcept;
  ~TarWriter();

  Result<void> begin(const std::string& path, std::uint64_t size);
  Result<void> write(std::string_view bytes);
  Result<void> finish();

  struct State;

 private:
  explicit TarWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmpatch::recipe
