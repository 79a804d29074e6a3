#pragma once
// The libvirt daemon that runs the QEMU driver of this computer.

#include <sys/types.h>

#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

/// From the pid files and sockets below /run, or the socket that the URI names (?socket=). Errc::not_found: none runs.
Result<pid_t> find_libvirt_daemon(const std::string& uri);
/// SIGHUP: the daemon looks for hook scripts again (virHookCall in libvirt's src/util/virhook.c).
Result<void> reload_libvirt_daemon(pid_t pid);

}  // namespace vmpatch::cli
