#pragma once
// A file system that never answers: whoever touches it waits in the kernel, where no signal ends it. As hard NFS, or a device that
// is gone. It lies in a mount namespace of this process, so that nobody else runs into it.

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::gate {

class SilentStorage {
 public:
  /// A folder that exists. Needs root.
  explicit SilentStorage(const std::filesystem::path& folder) : folder_(folder) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("a mount namespace");
    device_ = UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!device_) fail("/dev/fuse");
    const std::string options = "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
    if (::mount("silent", folder.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) fail("mount");
    server_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  SilentStorage(const SilentStorage&) = delete;
  SilentStorage& operator=(const SilentStorage&) = delete;
  ~SilentStorage() { end(); }

  /// Everybody who waits gets an error. So does who comes later.
  void end() {
    if (!server_.joinable()) return;
    server_.request_stop();
    server_.join();
    device_.reset();
    ::umount2(folder_.c_str(), MNT_DETACH);
  }
  /// Requests that wait for ever.
  [[nodiscard]] int waiting() const { return waiting_; }

 private:
  /// A test that would wait for ever ends after this; more than the patience of run().
  static constexpr std::chrono::seconds longest{90};

  [[noreturn]] static void fail(const std::string& what) { throw std::runtime_error("silent storage: " + what + ": " + std::strerror(errno)); }

  void serve(const std::stop_token& stop) {
    std::vector<char> request(FUSE_MIN_READ_BUFFER + 4096);
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!stop.stop_requested() && std::chrono::steady_clock::now() < end) {
      pollfd entry{device_.get(), POLLIN, 0};
      if (::poll(&entry, 1, 50) <= 0) continue;
      // What was read is in user space: the kernel waits for the answer even when the caller is killed.
      if (::read(device_.get(), request.data(), request.size()) < static_cast<ssize_t>(sizeof(fuse_in_header))) continue;
      fuse_in_header header{};
      std::memcpy(&header, request.data(), sizeof header);
      if (header.opcode == FUSE_INIT) {
        answer_init(header.unique);
      } else if (header.opcode != FUSE_INTERRUPT) {
        ++waiting_;
      }
    }
    if (!stop.stop_requested()) device_.reset();
  }

  void answer_init(std::uint64_t unique) {
    struct {
      fuse_out_header header{};
      fuse_init_out init{};
    } answer;
    answer.header.len = sizeof answer;
    answer.header.unique = unique;
    answer.init.major = FUSE_KERNEL_VERSION;
    answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
    answer.init.max_write = 4096;
    if (::write(device_.get(), &answer, sizeof answer) < 0) ::perror("silent storage");
  }

  std::filesystem::path folder_;
  UniqueFd device_;
  std::atomic<int> waiting_ = 0;
  std::jthread server_;
};

}  // namespace vmpatch::gate
