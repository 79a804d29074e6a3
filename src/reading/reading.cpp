#include "vmpatch/reading/reading.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::reading {
namespace {

bool uses_zstd(const OpenDisk& disk) {
  const auto& layers = disk.chain.layers();
  return std::any_of(layers.begin(), layers.end(), [](const image::Layer& layer) { return layer.header && layer.header->zstd; });
}

/// Shared by all that read at this time, so that nobody may write over what another one wrote.
UniqueFd open_log(const std::filesystem::path& path) {
  constexpr off_t largest = 1 << 20;
  UniqueFd log(::open(path.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
  struct stat info {};
  if (log && ::fstat(log.get(), &info) == 0 && info.st_size > largest && ::ftruncate(log.get(), 0) != 0) log.reset();
  return log;
}

}  // namespace

Result<guest::Facts> read_guest_facts(guest::Guest& guest, const inventory::Machine& machine) {
  auto facts = guest::read_facts(guest);
  if (!facts) {
    auto error = facts.error().in(fmt::format("reading the guest of {}", escape_untrusted(machine.name)));
    if (error.code == Errc::not_found) error.code = Errc::refused;
    return error;
  }
  return facts;
}

Result<Reading> Reading::open(const Environment& environment, const inventory::Machine& machine) {
  VMPATCH_TRY(auto scratch, Scratch::make(environment.places.scratch, "read-" + random_uuid().substr(0, 13)));
  Reading reading(std::move(scratch));
  VMPATCH_CHECK(make_dirs(environment.places.logs, 0700));
  reading.log_ = open_log(environment.places.logs / "read.log");
  VMPATCH_TRY(reading.disks_, open_disks(machine, environment.allowed_dirs));
  VMPATCH_TRY(reading.locks_, lock_disks(reading.disks_, image::Sharing::readers));
  VMPATCH_TRY(reading.before_, identify(reading.disks_));

  const bool zstd = std::any_of(reading.disks_.begin(), reading.disks_.end(), uses_zstd);
  VMPATCH_TRY(auto server, image::BlockServer::start({reading.scratch_.path() / "nbd", reading.log_.get(), !zstd}));
  reading.server_.emplace(std::move(server));
  // Both start at the same time.
  const auto prepared = environment.opener.prepare_read(reading.log_.get());
  guest::OpenRequest request;
  for (const auto& disk : reading.disks_) {
    VMPATCH_TRY(auto source, reading.server_->export_chain(disk.chain, disk.target));
    request.disks.push_back({std::move(source), true});
  }
  request.work_dir = reading.scratch_.path();
  request.cache_dir = environment.places.cache;
  request.log_fd = reading.log_.get();
  request.prepared = prepared;
  request.keep_going = check_interruption;
  auto guest = environment.opener.open_read(request);
  if (!guest) return guest.error().in(fmt::format("reading the guest of {}", escape_untrusted(machine.name)));
  reading.guest_ = std::move(*guest);
  VMPATCH_TRY(reading.facts_, read_guest_facts(*reading.guest_, machine));
  return reading;
}

Result<void> Reading::finish() {
  VMPATCH_CHECK(guest_->finish());
  guest_.reset();
  // Nothing was written, so nothing has to be flushed: its end is quicker than its orderly end.
  server_.reset();
  VMPATCH_TRY(const auto now, identify(disks_));
  if (const auto difference = first_difference(before_, now); !difference.empty()) {
    return fail(Errc::busy, "a disk changed while it was read ({}); find out who writes it and try again", difference);
  }
  return {};
}

}  // namespace vmpatch::reading
