#pragma once
// System-call filters (seccomp(2)) of the processes that touch guest content. Built by libseccomp.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// A compiled filter: struct sock_filter of linux/filter.h, eight bytes each.
struct SystemCallFilter {
  std::vector<std::uint64_t> instructions;
};

/// For this process from now on: memory, its own open descriptors, clocks, and its end. No file, socket, process, signal to
/// others, or executable memory. What is not allowed fails with EPERM; another architecture's calls kill the process.
Result<void> allow_only_own_descriptors();

/// For this process and its threads from now on, with one thread yet: no new process or program, no privileges, namespaces,
/// mounts, tracing, kernel modules or keys; no signal to others, and no way to outlive the parent that asked for its end. Of
/// sockets unix, TCP and UDP ones, and those that ask for network addresses (getaddrinfo(3)). Where the kernel has Landlock it
/// also changes no file, and reaches no memory of other processes. Refused calls fail with EPERM or EACCES.
Result<void> deny_processes();

/// Folders below which a program may open files.
struct FilesBelow {
  std::vector<std::filesystem::path> read;   ///< those that do not exist are passed over
  std::vector<std::filesystem::path> write;  ///< also to make, write and remove files; these exist
  std::vector<std::filesystem::path> run{};   ///< to read and to execute; those that do not exist are passed over
  std::vector<std::filesystem::path> work{};  ///< everything but devices; these exist
  std::vector<std::filesystem::path> devices{};  ///< files, to read and to write; those that do not exist are passed over
};

/// For this process from now on, with one thread yet: as allow_only_own_descriptors(), and files below these folders. Kernels
/// without Landlock do not tell folders apart: there any file that the account may open stays open to it, but nothing else.
Result<void> allow_only_files_below(const FilesBelow& files);

/// Whether this kernel has Landlock.
[[nodiscard]] bool has_landlock();

/// For this process and all that it starts, from now on, with one thread yet: no privileges, namespaces, mounts, tracing, kernel modules
/// or keys, and no sockets but unix ones. Other programs may be started. Needs no_new_privileges. Refused calls fail with EPERM.
Result<void> deny_leaving();
/// The same, and no files but these where the kernel has Landlock.
Result<void> deny_leaving(const FilesBelow& files);

/// For a program that is started with it (Command::filter): everything but new processes, privileges, namespaces, mounts,
/// tracing, kernel modules, keys and sockets other than unix ones. execve() must pass once; without fork() it can only end
/// in the same confined process.
Result<SystemCallFilter> deny_escape();

}  // namespace vmpatch
