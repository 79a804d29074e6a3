#pragma once
// A new file that appears whole or not at all, for content that is too big for write_file_atomic.

#include <filesystem>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

class AtomicOutput {
 public:
  /// A temporary file in the folder of `path`, without a name where the file system can do that: then nothing stays when the
  /// process is killed. Symlinks are followed: the file behind them is what will be replaced. Character
  /// devices, FIFOs and our own standard output cannot be replaced: they are written to as the content comes.
  /// Errc::refused: a folder, block device, socket, or a symlink that leads nowhere.
  static Result<AtomicOutput> create(const std::filesystem::path& path);
  /// The same for a file that must not exist yet: commit() fails when something has that name by then, a symlink too.
  static Result<AtomicOutput> create_new(const std::filesystem::path& path);
  AtomicOutput(AtomicOutput&& other) noexcept;
  AtomicOutput& operator=(AtomicOutput&&) = delete;
  /// Removes the temporary file unless commit() took it.
  ~AtomicOutput();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Mode, fsync, the final name, fsync of the folder. Nothing where the content was written directly.
  Result<void> commit(unsigned mode);

 private:
  AtomicOutput(std::filesystem::path path, std::filesystem::path temporary, UniqueFd fd, bool nameless)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)), nameless_(nameless) {}
  static Result<AtomicOutput> create_in_folder(const std::filesystem::path& path);
  Result<void> give_name();
  Result<void> take_free_name();
  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< empty once committed, while nameless, and where the content is written directly
  UniqueFd fd_;
  bool nameless_;
  bool must_be_new_ = false;
};

}  // namespace vmpatch
