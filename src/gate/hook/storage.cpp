#include "gate/hook/storage.hpp"

#include <sys/stat.h>

#include "gate/hook/errand.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::gate {
namespace {

constexpr std::chrono::milliseconds patience{1500};  // below the limit of the call
/// QEMU_SAVE_PATH of libvirt's QEMU driver; not configurable.
constexpr const char* managed_saves = "/var/lib/libvirt/qemu/save";

bool is_looked_at(const inventory::Disk& disk) { return has_identity(disk) || is_local_drive(disk); }

void look(const inventory::Machine& machine, const Errand::Send& send) {
  for (const inventory::Disk& disk : machine.disks) {
    if (!is_looked_at(disk)) continue;
    const auto identity = load_identity(machine, disk);
    send(dump_json(identity ? Json{{"identity", image::to_json(*identity)}} : Json{{"problem", identity.error().message}}));
  }
}

Result<image::DiskIdentity> read_answer(Errand& errand, const inventory::Disk& disk, SteadyTime deadline) {
  auto message = errand.next(deadline);
  if (!message && message.error().code == Errc::timeout) {
    return fail(Errc::timeout, "its storage ({}) did not answer within 1.5 s", escape_untrusted(disk.source ? disk.source->native() : ""));
  }
  if (!message) return message.error();
  if (!*message) return fail(Errc::timeout, "the process that looked at it crashed");
  VMPATCH_TRY(const Json answer, parse_json(**message, "answer"));
  if (answer.contains("identity")) return image::identity_from_json(answer.at("identity"));
  return make_error(Errc::failed, answer.value("problem", "it was not looked at"));
}

/// The disks after that one.
void leave_out(DiskFacts& facts, std::vector<inventory::Disk>& disks, std::size_t after) {
  for (std::size_t i = after + 1; i < disks.size(); ++i) {
    if (!is_looked_at(disks[i])) continue;
    add_disk(facts, disks[i], make_error(Errc::timeout, "it was not looked at, because of disk " + escape_untrusted(disks[after].target)));
  }
}

}  // namespace

DiskLook::DiskLook(const inventory::Machine& machine)
    : deadline_(std::chrono::steady_clock::now() + patience),
      errand_(Errand::start([&](const Errand::Send& send) { look(machine, send); })) {}

DiskFacts DiskLook::finish(inventory::Machine& machine) {
  DiskFacts facts;
  std::vector<inventory::Disk>& disks = machine.disks;
  for (std::size_t i = 0; i < disks.size(); ++i) {
    if (!is_looked_at(disks[i])) continue;
    auto identity = errand_ ? read_answer(*errand_, disks[i], deadline_) : Result<image::DiskIdentity>(errand_.error());
    const bool silent = !identity && identity.error().code == Errc::timeout;
    add_disk(facts, disks[i], std::move(identity));
    if (!silent) continue;
    leave_out(facts, disks, i);
    break;
  }
  return facts;
}

bool has_managed_save(const std::string& name) {
  if (name.find('/') != std::string::npos) return false;
  const fs::path file = fs::path(managed_saves) / (name + ".save");
  auto errand = Errand::start([&](const Errand::Send& send) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode)) send("yes");
  });
  if (!errand) return false;
  const auto answer = errand->next(std::chrono::steady_clock::now() + patience);
  return answer && *answer;
}

}  // namespace vmpatch::gate
