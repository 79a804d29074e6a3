#pragma once
// One unprivileged QEMU without a machine (-machine none, seccomp, no network) that gets open descriptors (fdsets) and
// serves disks over NBD on a private unix socket. It never opens a guest disk by path.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/process.hpp"
#include "vmpatch/image/chain.hpp"

namespace vmpatch::image {

/// Where a disk can be read: NBD over a unix socket. Content is the guest-visible (virtual) disk.
struct NbdExport {
  fs::path socket;
  std::string name;
  std::uint64_t size = 0;  ///< bytes
  bool writable = false;
  std::optional<Credentials> account;  ///< as which a process can open the socket, besides root; empty: as this one
  [[nodiscard]] std::string uri() const;  ///< nbd+unix:///NAME?socket=PATH
};

/// A connection to the server of this export, before the first byte of the protocol. Errors: failed.
Result<UniqueFd> connect(const NbdExport& source);

/// A qcow2 file of ours on top of a chain (overlay) or beside it (undo image).
struct OwnImage {
  fs::path path;
  UniqueFd read_only;
  UniqueFd read_write;
};

/// Creates a new qcow2 file 0600 (must not exist) of `virtual_size` bytes; when `backing` is given its path and format
/// stand in the header so that stock tools understand the file. QEMU opens no other file for it.
Result<OwnImage> create_own_image(const fs::path& path, std::uint64_t virtual_size, const Layer* backing);
/// Opens one that create_own_image() made (recovery). Screened like any other image.
Result<OwnImage> open_own_image(const fs::path& path, std::uint64_t virtual_size, bool writable);

struct BlockServerOptions {
  fs::path socket_dir;  ///< made 0700, owned by an account of this server alone; removed at the end
  int log_fd = -1;      ///< QEMU's messages
  /// Only chains are exported, all of layers that every QEMU can read: then the smallest QEMU of this host serves them.
  bool reading = false;
};

using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;  ///< bytes

class BlockServer {
 public:
  static Result<BlockServer> start(const BlockServerOptions& options);
  BlockServer(BlockServer&&) noexcept;
  BlockServer& operator=(BlockServer&&) noexcept;
  ~BlockServer();  ///< kills QEMU without flushing; stop() is the orderly end

  /// Exports the content of `chain`, read-only.
  Result<NbdExport> export_chain(const Chain& chain, const std::string& name);
  /// Exports overlay-on-chain. Writes go to the overlay only.
  Result<NbdExport> export_overlay(const Chain& chain, const OwnImage& overlay, const std::string& name, bool writable);
  /// Exports throw_away-on-overlay-on-chain, writable. Writes go to `throw_away` only (create_own_image() over nothing), and nothing of them
  /// has to be durable.
  Result<NbdExport> export_throw_away(const Chain& chain, const OwnImage& overlay, const OwnImage& throw_away, const std::string& name);
  /// Exports an own image without any backing (undo image).
  Result<NbdExport> export_own(const OwnImage& image, const std::string& name, bool writable);
  /// Exports `chain` for writing into its top layer. `top_writable` is Chain::open_top_writable(). What was written is durable when
  /// remove() has returned.
  Result<NbdExport> export_writable(const Chain& chain, int top_writable, const std::string& name);
  /// Flushes and takes the export and its block nodes away; readers must have disconnected.
  Result<void> remove(const std::string& name);

  /// Writes every cluster that the overlay holds into the chain's top layer (QEMU block-commit; redo-able: the overlay
  /// is not changed), flushes, fsyncs. `top_writable` is Chain::open_top_writable().
  Result<void> commit(const Chain& chain, const OwnImage& overlay, int top_writable, const Progress& progress);

  /// Flush, quit, wait. An unclean end is an error.
  Result<void> stop();
  [[nodiscard]] pid_t pid() const;

 private:
  struct State;
  explicit BlockServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmpatch::image
