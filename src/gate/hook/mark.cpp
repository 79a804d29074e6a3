#include "gate/hook/mark.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "gate/hook/run_files.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {
namespace {

constexpr std::uint64_t largest = 4U << 20U;

std::int64_t nanoseconds(Time time) { return time.time_since_epoch().count(); }
Time time_of(const Json& value) { return Time(std::chrono::nanoseconds(value.get<std::int64_t>())); }

bool is_ours_alone(const fs::path& folder) {
  struct stat info {};
  return ::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 0077U) == 0;
}

Json to_json(const Mark& mark, const std::string& boot_id) {
  Json json{{"boot", boot_id}, {"opened", nanoseconds(mark.opened)}, {"started", mark.started}, {"managed", mark.managed}, {"daemon", mark.daemon}};
  if (mark.memory) json["saved"] = *mark.memory;
  if (mark.end) {
    json["end"] = {{"time", nanoseconds(mark.end->time)}, {"identities", mark.end->identities}, {"unread", mark.end->unread},
                   {"unseen", mark.end->unseen}};
  }
  return json;
}

/// Throws Json::exception where the file is not what put() writes.
Mark from_json(const Json& json) {
  Mark mark{.opened = time_of(json.at("opened")), .started = json.at("started").get<bool>(), .memory = {},
            .managed = json.at("managed").get<bool>(), .daemon = json.at("daemon").get<std::string>(), .end = {}};
  if (json.contains("saved")) mark.memory = json.at("saved").get<bool>();
  const auto end = json.find("end");
  // Written by another version of this program perhaps: an end that cannot be read is one that was not seen.
  if (end != json.end() && identities_from_json(end->at("identities"))) {
    mark.end = End{time_of(end->at("time")), end->at("identities"), end->at("unread").get<std::vector<std::string>>(),
                   end->at("unseen").get<bool>()};
  }
  return mark;
}

}  // namespace

MarkFile::MarkFile(const fs::path& run_dir, std::string uuid, std::string boot_id)
    : folder_(run_dir / "vm-patch-gate"), uuid_(std::move(uuid)), boot_id_(std::move(boot_id)) {}

std::optional<Mark> MarkFile::load() const {
  if (boot_id_.empty() || !is_ours_alone(folder_)) return {};
  const auto text = read_run_file(folder_ / uuid_, largest);
  const auto json = text ? parse_json(*text, "mark") : Result<Json>(text.error());
  if (!json) return {};
  try {
    if (json->at("boot").get_ref<const std::string&>() == boot_id_) return from_json(*json);
  } catch (const Json::exception&) {
    return {};  // not one of ours
  }
  return {};
}

Result<void> MarkFile::put(const Mark& mark) const {
  if (boot_id_.empty()) return fail(Errc::failed, "the boot of this host has no id");
  VMPATCH_CHECK(make_dirs(folder_, 0700));
  if (!is_ours_alone(folder_)) return fail(Errc::refused, "folder {} is not ours alone; remove it", folder_.string());
  return write_file_atomic(folder_ / uuid_, dump_json(to_json(mark, boot_id_)), 0600);
}

void MarkFile::drop() const {
  if (is_ours_alone(folder_)) ::unlink((folder_ / uuid_).c_str());
}

}  // namespace vmpatch::gate
