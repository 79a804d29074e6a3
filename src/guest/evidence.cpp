#include "guest/evidence.hpp"

#include <algorithm>

#include "guest/optional_files.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest {
namespace {

// The newest records are at the end.
constexpr std::uint64_t max_records = 4096;
constexpr std::size_t max_journals = 8;

/// Layout of struct utmp as glibc has it on one architecture.
struct RecordLayout {
  explicit RecordLayout(std::string_view arch)
      : wide(arch == "aarch64" || arch == "riscv64" || arch == "loongarch64"),
        big_endian(arch == "s390x" || arch == "s390" || arch == "ppc64" || arch == "ppc" || arch == "sparc64" || arch == "mips" ||
                   arch == "mips64") {}
  bool wide;
  bool big_endian;
  [[nodiscard]] std::size_t size() const { return wide ? 400 : 384; }
  [[nodiscard]] std::size_t time_at() const { return wide ? 344 : 340; }
  [[nodiscard]] std::size_t time_size() const { return wide ? 8 : 4; }

  [[nodiscard]] std::uint64_t number(std::string_view bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value = value << 8U | static_cast<unsigned char>(bytes[big_endian ? i : bytes.size() - 1 - i]);
    }
    return value;
  }
};

bool is_possible(std::int64_t time) { return time > 0 && time <= latest_time; }

void take_newer(LastBoot& newest, std::optional<std::int64_t> time, std::string source) {
  if (!time || !is_possible(*time) || (newest.time && *newest.time >= *time)) return;
  newest = {time, std::move(source)};
}

/// What is missing or damaged is no trace.
template <class T>
Result<std::optional<T>> lenient(Result<T> result) {
  if (result) return std::optional(std::move(*result));
  if (result.error().code == Errc::not_found || result.error().code == Errc::failed) return std::optional<T>();
  return result.error();
}

Result<void> look_at(Guest& guest, LastBoot& newest, const std::string& path) {
  VMPATCH_TRY(const auto info, lenient(guest.stat(path)));
  if (info && info->kind == FileKind::regular) take_newer(newest, info->mtime, path);
  return {};
}

constexpr const char* login_records = "/var/log/wtmp";

/// The newest records; empty where there are none.
Result<std::string> read_login_records(Guest& guest, std::string_view arch) {
  VMPATCH_TRY(const auto info, lenient(guest.stat(login_records)));
  if (!info || info->kind != FileKind::regular || info->size == 0) return std::string();
  const std::uint64_t size = RecordLayout(arch).size();
  const std::uint64_t count = info->size / size;
  const std::uint64_t first = count > max_records ? count - max_records : 0;
  VMPATCH_TRY(auto bytes, lenient(guest.read_range(login_records, first * size, max_records * size)));
  return std::move(bytes).value_or("");
}

Result<void> look_at_logins(Guest& guest, LastBoot& newest, const std::string& arch) {
  VMPATCH_TRY(const auto bytes, read_login_records(guest, arch));
  take_newer(newest, newest_login_record(bytes, arch), login_records);
  return {};
}

Result<void> look_at_journals(Guest& guest, LastBoot& newest) {
  const std::string folder = "/var/log/journal";
  VMPATCH_TRY(const auto entries, lenient(guest.list(folder)));
  if (!entries) return {};
  std::size_t count = 0;
  for (const DirEntry& entry : *entries) {
    if (entry.kind != FileKind::directory || entry.name.size() != 32) continue;
    if (++count > max_journals) break;
    VMPATCH_CHECK(look_at(guest, newest, fmt::format("{}/{}/system.journal", folder, entry.name)));
  }
  return {};
}

}  // namespace

namespace {

/// The newest time of the records that `counts` takes: it gets the type and the record.
template <class Counts>
std::optional<std::int64_t> newest_record(std::string_view bytes, const RecordLayout& layout, const Counts& counts) {
  std::optional<std::int64_t> newest;
  for (std::size_t at = 0; at + layout.size() <= bytes.size(); at += layout.size()) {
    const std::string_view record = bytes.substr(at, layout.size());
    const std::uint64_t time = layout.number(record.substr(layout.time_at(), layout.time_size()));
    if (time > static_cast<std::uint64_t>(latest_time) || time == 0 || !counts(layout.number(record.substr(0, 2)), record)) continue;
    newest = std::max(newest.value_or(0), static_cast<std::int64_t>(time));
  }
  return newest;
}

}  // namespace

std::optional<std::int64_t> newest_login_record(std::string_view bytes, std::string_view arch) {
  constexpr std::uint64_t last_type = 8;  // DEAD_PROCESS
  return newest_record(bytes, RecordLayout(arch), [](std::uint64_t type, std::string_view) { return type != 0 && type <= last_type; });
}

std::optional<std::int64_t> newest_run_level(std::string_view bytes, std::string_view arch) {
  constexpr std::uint64_t run_level = 1;  // RUN_LVL
  constexpr std::size_t pid_at = 4, user_at = 44;
  const RecordLayout layout(arch);
  return newest_record(bytes, layout, [&](std::uint64_t type, std::string_view record) {
    // The level is in the process number: systemd's src/update-utmp.
    const std::uint64_t level = layout.number(record.substr(pid_at, 4)) & 0xFFU;
    return type == run_level && record.substr(user_at, 9) == std::string_view("runlevel\0", 9) && level >= '2' && level <= '5';
  });
}

Result<std::optional<std::int64_t>> read_last_run_level(Guest& guest, std::string_view arch) {
  VMPATCH_TRY(const auto bytes, read_login_records(guest, arch));
  return newest_run_level(bytes, arch);
}

Result<LastBoot> read_last_boot(Guest& guest, const Facts& facts) {
  LastBoot newest;
  VMPATCH_CHECK(look_at_logins(guest, newest, facts.arch));
  if (facts.init == "systemd") {
    VMPATCH_CHECK(look_at(guest, newest, "/var/lib/systemd/random-seed"));
    VMPATCH_CHECK(look_at(guest, newest, "/var/lib/systemd/timesync/clock"));
    VMPATCH_CHECK(look_at_journals(guest, newest));
  } else {
    VMPATCH_CHECK(look_at(guest, newest, "/var/lib/misc/random-seed"));
    VMPATCH_CHECK(look_at(guest, newest, "/var/lib/seedrng/seed.credit"));
  }
  return newest;
}

Result<CloudInit> read_cloud_init(Guest& guest, const Facts& facts) {
  VMPATCH_TRY(const bool ran, exists(guest, "/var/lib/cloud/instance"));
  if (ran) return CloudInit::ran;
  if (facts.find("cloud-init") != nullptr) return CloudInit::never_ran;
  VMPATCH_TRY(const bool configured, exists(guest, "/etc/cloud/cloud.cfg"));
  return configured ? CloudInit::never_ran : CloudInit::absent;
}

}  // namespace vmpatch::guest
