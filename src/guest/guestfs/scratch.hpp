#pragma once
// Places in a writable guest that never reach its disk: a memory file system covers /run.

namespace vmpatch::guest::guestfs {

inline constexpr const char* sysroot = "/sysroot";  ///< where libguestfs' daemon has the guest, in the appliance
inline constexpr const char* run_folder = "/run";
inline constexpr const char* scratch_folder = "/run/vm-patch";
/// Of the appliance. A program of the guest reaches it only by leaving its root (chroot(2)): what is read there is not believed.
inline constexpr const char* output_file = "/run/vm-patch-output";
inline constexpr const char* payload_folder = "/run/vm-patch-payloads";

}  // namespace vmpatch::guest::guestfs
