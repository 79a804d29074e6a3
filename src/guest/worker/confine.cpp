#include "guest/worker/confine.hpp"

#include "vmpatch/core/confine.hpp"

namespace vmpatch::guest::worker {
namespace {

/// What lies in /tmp is memory: of a writing worker what the appliance changes on its own disk, which is nothing much; of a reading one
/// also the journals that are replayed over disks that are only read.
constexpr std::uint64_t written_memory = 128ULL << 20U;
constexpr std::uint64_t read_memory = 512ULL << 20U;

}  // namespace

Result<std::vector<std::string>> confine(Setup& setup, int socket) {
  Setup inside = setup;
  Confinement confinement{{}, setup.tmp, setup.write ? written_memory : read_memory, setup.run_as, setup.kvm_group};
  const auto keep = [&](std::filesystem::path& path, std::string target, bool writable) {
    confinement.parts.push_back({path, target, writable});
    path = std::move(target);
  };
  keep(inside.appliance, "/appliance", false);
  for (std::size_t i = 0; i < inside.disks.size(); ++i) keep(inside.disks[i].source.socket, fmt::format("/tmp/disk{}", i), true);
  if (inside.payload) keep(inside.payload->socket, "/tmp/payload", true);
  inside.tmp = own_tmp;
  VMPATCH_TRY(const auto confined, vmpatch::confine(confinement, socket));
  if (confined.own_root) setup = std::move(inside);
  return confined.missing;
}

}  // namespace vmpatch::guest::worker
