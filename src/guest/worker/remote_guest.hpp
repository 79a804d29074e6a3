#pragma once
// The parent's side: a guest that lives in another process. Nothing that comes back is believed: sizes, types and order are
// checked, and a worker that answers wrongly, or not in time, is killed; every later call then fails.

#include <memory>

#include "guest/worker/setup.hpp"
#include "guest/worker/wire.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest::worker {

/// The adapter inside of the worker.
enum class Kind { direct, appliance };
std::string_view to_string(Kind kind);

class RemoteGuest final : public WritableGuest {
 public:
  /// Starts a worker and waits until it has opened the guest. `write` asks for an adapter that can write; each disk's own
  /// read_only still holds. Errors: those of GuestOpener.
  static Result<std::unique_ptr<RemoteGuest>> open(Kind kind, const OpenRequest& request, bool write);
  ~RemoteGuest() override;

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override;
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override;
  Result<FileStat> stat(const std::string& path) override;
  Result<FileStat> lstat(const std::string& path) override;
  Result<std::string> readlink(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& dir) override;
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override;
  Result<std::optional<std::string>> augeas_get(const std::string& path, const std::string& lens,
                                                const std::string& node) override;
  [[nodiscard]] std::string access() const override { return access_; }
  [[nodiscard]] bool hibernated() const override { return hibernated_; }
  Result<void> finish() override;
  /// Why this adapter was chosen: part of access() from now on.
  void set_reason(std::string_view reason);

  Result<void> put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) override;
  Result<void> make_dirs(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> symlink(const std::string& target, const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> chmod(const std::string& path, unsigned mode) override;
  Result<void> chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) override;
  Result<void> unpack_tar(const std::string& payload_name, const std::string& dir, const std::vector<std::string>& members) override;
  Result<void> augeas_edit(const std::string& path, const std::string& lens, const std::map<std::string, std::string>& set,
                           const std::vector<std::string>& remove) override;
  Result<CommandResult> command(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                Seconds timeout) override;
  Result<std::string> mount_payloads() override;
  Result<void> unmount_payloads() override;
  Result<void> check_file_systems() override;
  Result<std::uint64_t> free_space(const std::string& path) override;

  /// For tests of what happens when it dies.
  [[nodiscard]] pid_t worker_pid() const { return child_.pid(); }

 private:
  RemoteGuest(Kind kind, const OpenRequest& request) : kind_(kind), log_fd_(request.log_fd), keep_going_(request.keep_going) {}
  Result<void> open_direct(const OpenRequest& request);
  Result<void> open_appliance(const OpenRequest& request, bool write);
  Result<void> take_opened(const Frame& answer);
  /// The answer to what was sent. An Error of the adapter comes back as it is.
  Result<Frame> receive(std::string_view name, Deadline deadline);
  /// One request and its answer.
  Result<Frame> call(Frame request, std::string_view name, Seconds limit);
  Result<Frame> call(std::string_view name, std::vector<std::string> blobs, Seconds limit);
  Result<void> call_void(std::string_view name, std::vector<std::string> blobs, Seconds limit);
  Result<std::string> call_blob(std::string_view name, std::vector<std::string> blobs, Seconds limit);
  Result<FileStat> call_stat(std::string_view name, const std::string& path);
  /// Kills the worker: it has broken the protocol.
  Error distrust(const Error& error);

  Kind kind_;
  int log_fd_;
  KeepGoing keep_going_;
  fs::path tmp_;  ///< of the appliance
  UniqueFd socket_;
  Child child_;
  std::string access_;
  bool hibernated_ = false;
  std::string ended_;  ///< why there is no worker any more
};

}  // namespace vmpatch::guest::worker
