#pragma once

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// Newest time in the records of a wtmp file (utmp(5)). `arch` decides the layout: 384 bytes, or 400 where time is kept in 64 bits. Empty and impossible records do not count.
std::optional<std::int64_t> newest_login_record(std::string_view bytes, std::string_view arch);

/// The same of the records that say that run level 2 to 5 was reached: type RUN_LVL of user "runlevel", with the level's digit (utmp(5),
/// systemd-update-utmp(8)).
std::optional<std::int64_t> newest_run_level(std::string_view bytes, std::string_view arch);

/// From what only a running system writes: records of /var/log/wtmp (boot, login, shutdown), and the modification times of
/// systemd's random seed (written at boot and shutdown), of systemd-timesyncd's clock (at each synchronization, its manual page), of
/// the journal, and of OpenRC's random seeds. Errors: unsupported and timeout only.
Result<LastBoot> read_last_boot(Guest& guest, const Facts& facts);

/// ran: it left an instance (/var/lib/cloud/instance); never_ran: the package or its configuration is there.
Result<CloudInit> read_cloud_init(Guest& guest, const Facts& facts);

}  // namespace vmpatch::guest
