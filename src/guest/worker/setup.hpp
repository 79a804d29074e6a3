#pragma once
// What a worker is told before it opens anything: sent by the parent as its first frame.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest::worker {

struct Setup {
  std::vector<GuestDisk> disks;
  std::optional<image::NbdExport> payload;
  std::filesystem::path tmp;    ///< 0700, of the worker's account
  std::filesystem::path appliance;  ///< kernel, initrd and root; read-only
  std::optional<Credentials> run_as;  ///< set when the parent is root
  std::optional<gid_t> kvm_group;     ///< the one supplementary group that the worker keeps
  Accelerator accelerator = Accelerator::tcg;
  bool write = false;
  Seconds timeout{600};
};

[[nodiscard]] Json to_json(const Setup& setup);
Result<Setup> setup_from_json(const Json& json);

}  // namespace vmpatch::guest::worker
