// The boot proof: between `verified` and `committing`, a machine is started once from an overlay of its overlay, in a throw-away QEMU.
#include <algorithm>

#include "engine/boot_files.hpp"
#include "engine/boot_hardware.hpp"
#include "engine/run.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// The disks of a run over layers that are thrown away, served by a block server of their own: the machine that has them can hurt nobody else's.
class ThrowAwayDisks {
 public:
  static Result<ThrowAwayDisks> make(const inventory::Machine& machine, const std::vector<StagedDisk>& staged, const fs::path& folder,
                                     const image::BlockServerOptions& options) {
    ThrowAwayDisks made(folder);
    VMPATCH_CHECK(make_dirs(folder, 0700));
    VMPATCH_TRY(made.server_, image::BlockServer::start(options));
    for (std::size_t i = 0; i < staged.size(); ++i) {
      VMPATCH_TRY(auto layer, image::create_own_image(folder / fmt::format("{}.qcow2", i), staged[i].disk.chain.virtual_size(), nullptr));
      made.layers_.push_back(std::move(layer));
      made.disks_.push_back(boot_disk(machine, staged[i].disk.target));
    }
    VMPATCH_CHECK(made.export_all(staged));
    return made;
  }

  ThrowAwayDisks(ThrowAwayDisks&&) noexcept = default;
  ThrowAwayDisks& operator=(ThrowAwayDisks&&) = delete;
  ThrowAwayDisks(const ThrowAwayDisks&) = delete;
  ~ThrowAwayDisks() {
    server_.reset();
    layers_.clear();
    if (!folder_.empty()) static_cast<void>(remove_tree(folder_).has_value());
  }

  [[nodiscard]] const std::vector<proof::Disk>& disks() const { return disks_; }

  /// After the machine has ended: everything that it wrote, served anew, to be read.
  Result<void> export_again(const std::vector<StagedDisk>& staged) {
    for (const auto& disk : disks_) VMPATCH_CHECK(server_->remove(disk.source.name));
    return export_all(staged);
  }

 private:
  explicit ThrowAwayDisks(fs::path folder) : folder_(std::move(folder)) {}

  Result<void> export_all(const std::vector<StagedDisk>& staged) {
    for (std::size_t i = 0; i < staged.size(); ++i) {
      const auto name = fmt::format("{}-boot", staged[i].disk.target);
      VMPATCH_TRY(disks_[i].source, server_->export_throw_away(staged[i].disk.chain, staged[i].redo, layers_[i], name));
    }
    return {};
  }

  fs::path folder_;
  std::vector<image::OwnImage> layers_;
  std::vector<proof::Disk> disks_;
  std::optional<image::BlockServer> server_;
};

std::string join_paths(const std::vector<fs::path>& paths) {
  std::string text;
  for (const auto& path : paths) text += (text.empty() ? "" : " and ") + path.string();
  return text;
}

}  // namespace

Result<void> Run::check_boot_proof() {
  if (environment_.boot_rule) boot_ = environment_.boot_rule(machine_);
  if (boot_.proof == policy::BootProof::never) return {};
  const auto possible = [&]() -> Result<void> {
    VMPATCH_TRY(const auto hardware, boot_hardware(machine_));
    std::vector<proof::Disk> disks;
    for (const auto& [target, identity] : assessment_.identities) disks.push_back(boot_disk(machine_, target));
    return proof::check_bootable(hardware, disks, assessment_.facts ? assessment_.facts->arch : "");
  }();
  if (possible) return {};
  if (boot_.proof == policy::BootProof::always) {
    return fail(Errc::refused, "machine {}: no boot proof is possible: {}; without one it is patched by --boot-proof never or kernel, or with that as boot_proof of its group",
                escape_untrusted(machine_.name), possible.error().message);
  }
  environment_.log.warn("machine {}: will not be started for a proof: {}", escape_untrusted(machine_.name), possible.error().message);
  report_.boot = BootOutcome{{}, Seconds(0), possible.error().message};
  return {};
}

Result<bool> Run::is_boot_changed() {
  const auto describe = [&](const guest::OpenRequest& request) -> Result<std::string> {
    VMPATCH_TRY(const auto guest, environment_.opener.open_read(request));
    VMPATCH_TRY(auto text, describe_boot_files(*guest));
    VMPATCH_CHECK(guest->finish());
    return text;
  };
  VMPATCH_TRY(auto now, export_overlays("-boot", false));
  guest::OpenRequest before = now;
  now.direct_only = before.direct_only = true;
  for (std::size_t i = 0; i < staged_.size(); ++i) {
    VMPATCH_TRY(before.disks[i].source, server_->export_chain(staged_[i].disk.chain, staged_[i].disk.target + "-before"));
  }
  // What only an appliance could read is not worth one: the proof itself takes hardly longer.
  const auto new_text = describe(now);
  const auto old_text = describe(before);
  VMPATCH_CHECK(remove_exports("-boot"));
  VMPATCH_CHECK(remove_exports("-before"));
  return !new_text || !old_text || *new_text != *old_text;
}

Result<proof::BootReport> Run::start_once(Seconds timeout) {
  proof::BootRequest request;
  VMPATCH_TRY(request.hardware, boot_hardware(machine_));
  VMPATCH_TRY(auto disks, ThrowAwayDisks::make(machine_, staged_, record_.work_dir() / "boot", {scratch_->path() / "boot", log_fd_.get()}));
  request.disks = disks.disks();
  VMPATCH_TRY(const auto accelerator, guest::find_accelerator(environment_.places.cache));
  request.kvm = accelerator.accelerator == guest::Accelerator::kvm;
  request.timeout = timeout;
  request.evidence = environment_.places.logs / record_.run().id;
  request.log_fd = log_fd_.get();
  bool told = false;
  request.keep_going = [&]() -> Result<void> {
    if (!std::exchange(told, true) && environment_.on_transition) VMPATCH_CHECK(environment_.on_transition("during", "booting"));
    return check_going_on();
  };
  VMPATCH_TRY(auto report, environment_.boot(request));
  if (report.up || !report.switched_off) return report;

  // It has no console that tells, and went when it was asked to. Its records may say more.
  VMPATCH_CHECK(disks.export_again(staged_));
  const auto level = [&](guest::OpenRequest open) -> Result<std::optional<std::int64_t>> {
    open.direct_only = true;
    VMPATCH_TRY(const auto guest, environment_.opener.open_read(open));
    VMPATCH_TRY(const auto last, guest::read_last_run_level(*guest, assessment_.facts->arch));
    VMPATCH_CHECK(guest->finish());
    return last;
  };
  VMPATCH_TRY(auto before, export_overlays("-records", false));
  guest::OpenRequest after = before;
  for (std::size_t i = 0; i < staged_.size(); ++i) after.disks[i].source = disks.disks()[i].source;
  const auto old_level = level(before);
  const auto new_level = level(after);
  VMPATCH_CHECK(remove_exports("-records"));
  if (old_level && new_level && *new_level && *new_level > *old_level) report.up = proof::Sign::run_level;
  if (report.up) {
    for (const auto& path : report.evidence) VMPATCH_CHECK(remove_tree(path));
  }
  return report;
}

Result<void> Run::prove_boot() {
  if (boot_.proof == policy::BootProof::never || report_.boot) return {};
  if (boot_.proof == policy::BootProof::kernel) {
    VMPATCH_TRY(const bool changed, is_boot_changed());
    if (!changed) {
      report_.boot = BootOutcome{{}, Seconds(0), "nothing that it starts from was changed"};
      return {};
    }
  }
  step("starting the machine once, without network, on a copy that is thrown away");
  VMPATCH_TRY(const auto report, start_once(boot_.timeout));
  if (!report.up) {
    return fail(Errc::failed, "machine {}: does not start after the patch: {}; its console and screen are in {}", escape_untrusted(machine_.name), report.reason,
                join_paths(report.evidence));
  }
  report_.boot = BootOutcome{report.up, report.took, {}};
  report_.checks.push_back(fmt::format("boot: up after {} s, seen by {}", report.took.count(), proof::to_string(*report.up)));
  return {};
}

}  // namespace vmpatch::engine
