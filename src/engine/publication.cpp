#include "engine/publication.hpp"

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/new_version.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t floor_of_room = 16U << 20U;

Result<void> check_room(const fs::path& folder, std::uint64_t bytes) {
  VMPATCH_TRY(const auto room, free_space(folder));
  if (room >= bytes + floor_of_room) return {};
  return fail(Errc::refused, "the new version takes {}, and {} are free in {}; make room there", format_size(bytes), format_size(room),
              escape_untrusted(folder.string()));
}

Result<void> copy_and_compare(image::BlockServer& server, const StagedDisk& disk, const image::Chain& made, const image::NbdExport& from,
                              const std::vector<image::Extent>& data, const image::Progress& progress) {
  VMPATCH_TRY(const auto writable, made.open_top_writable());
  VMPATCH_TRY(const auto to, server.export_writable(made, writable.get(), disk.disk.target + "-to"));
  const auto copied = image::copy_extents(from, to, data, progress);
  VMPATCH_CHECK(server.remove(to.name));
  VMPATCH_CHECK(copied);
  VMPATCH_TRY(const auto back, image::Chain::open(made.top().path, made.top().format, {}));
  VMPATCH_TRY(const auto read, server.export_chain(back, disk.disk.target + "-back"));
  const auto compare = [&]() -> Result<void> {
    VMPATCH_CHECK(image::compare_extents(from, read, data));
    // Whatever it has that is not known to be zeros, too.
    VMPATCH_TRY(const auto all, image::data_extents(read));
    return image::compare_extents(from, read, all);
  };
  const auto same = compare();
  VMPATCH_CHECK(server.remove(read.name));
  return same;
}

}  // namespace

Json to_json(const std::vector<Version>& versions) {
  Json all = Json::array();
  for (const auto& version : versions) {
    all.push_back({{"target", version.target}, {"from", version.from.string()}, {"to", version.to.string()}, {"part", version.part.string()},
                   {"format", image::to_string(version.format)}, {"id", version.id}});
  }
  return all;
}

Result<std::vector<Version>> versions_of(const ledger::Run& run) {
  std::vector<Version> versions;
  try {
    for (const auto& json : run.detail.value("versions", Json::array())) {
      VMPATCH_TRY(const auto format, image::parse_format(json.at("format").get<std::string>()));
      versions.push_back({json.at("target"), json.at("from").get<std::string>(), json.at("to").get<std::string>(), json.at("part").get<std::string>(),
                          format, json.at("id")});
    }
  } catch (const Json::exception& problem) {
    return fail(Errc::failed, "run {}: the ledger's record of its new versions cannot be read: {}", run.id, problem.what());
  }
  return versions;
}

std::vector<inventory::DiskMove> moves_of(const std::vector<Version>& versions) {
  std::vector<inventory::DiskMove> moves;
  for (const auto& version : versions) moves.push_back({version.target, version.from, version.to});
  return moves;
}

Result<std::vector<Version>> name_versions(image::BlockServer& server, const std::vector<StagedDisk>& disks, const std::string& run_id) {
  std::vector<Version> versions;
  for (const auto& staged : disks) {
    const auto name = staged.disk.target + "-held";
    VMPATCH_TRY(const auto overlay, server.export_overlay(staged.disk.chain, staged.redo, name, false));
    const auto held = image::held_extents(overlay);
    VMPATCH_CHECK(server.remove(name));
    VMPATCH_CHECK(held);
    if (held->empty()) continue;
    VMPATCH_TRY(auto to, image::next_version(staged.disk.source));
    auto part = to.parent_path() / fmt::format(".{}.{}.part", to.filename().string(), run_id);
    versions.push_back({staged.disk.target, staged.disk.source, std::move(to), std::move(part), staged.disk.chain.top().format, {}});
  }
  return versions;
}

Result<std::uint64_t> write_version(image::BlockServer& server, const StagedDisk& disk, Version& version, const image::Progress& progress) {
  VMPATCH_TRY(const auto from, server.export_overlay(disk.disk.chain, disk.redo, disk.disk.target + "-from", false));
  VMPATCH_TRY(const auto data, image::data_extents(from));
  const auto bytes = image::total_length(data);
  VMPATCH_CHECK(check_room(version.part.parent_path(), bytes));
  VMPATCH_TRY(const auto made, image::create_image(version.part, version.format, disk.disk.chain.virtual_size()));
  if (auto copied = copy_and_compare(server, disk, made, from, data, progress); !copied) {
    return copied.error().in(fmt::format("new version {}", escape_untrusted(version.to.string())));
  }
  VMPATCH_CHECK(server.remove(from.name));
  VMPATCH_CHECK(image::take_attributes(disk.disk.chain.top(), made));
  VMPATCH_TRY(const auto identity, made.identity());
  version.id = image::file_id(identity.front());
  return bytes;
}

Result<void> remove_versions(const std::vector<Version>& versions) {
  for (const auto& version : versions) {
    if (version.part.empty()) continue;
    std::error_code error;
    fs::remove(version.part, error);  // its name is this run's alone
    if (error) return errno_error(error.value(), "remove " + escape_untrusted(version.part.string()));
    if (!version.id.empty()) VMPATCH_CHECK(image::remove_image(version.to, version.id));
  }
  return {};
}

Named named_by(const inventory::Machine* machine, const std::vector<Version>& versions) {
  const auto all_at = [&](const fs::path Version::*path) {
    return std::all_of(versions.begin(), versions.end(), [&](const Version& version) {
      return std::any_of(machine->disks.begin(), machine->disks.end(), [&](const auto& disk) {
        return disk.target == version.target && disk.source && *disk.source == version.*path;
      });
    });
  };
  if (machine == nullptr || versions.empty()) return Named::others;
  if (all_at(&Version::from)) return Named::old_files;
  return all_at(&Version::to) ? Named::new_files : Named::others;
}

Result<Settled> settle_published(const Environment& environment, const inventory::Machine& now, const std::vector<Version>& versions,
                                 const RunRecord& record) {
  if (!versions.empty() && named_by(&now, versions) != Named::new_files) {
    return fail(Errc::failed, "machine {} does not have the files of its new version", escape_untrusted(now.name));
  }
  VMPATCH_TRY(const auto disks, reading::open_disks(now, environment.allowed_dirs));
  Settled settled;
  VMPATCH_TRY(settled.locks, reading::lock_disks(disks, image::Sharing::readers));
  if (const auto obstacles = inventory::publish_obstacles(now); !obstacles.empty()) {
    return fail(Errc::busy, "machine {}: {}", escape_untrusted(now.name), fmt::join(obstacles, "; "));
  }
  VMPATCH_TRY(settled.identities, reading::identify(disks));
  VMPATCH_TRY(const auto recorded, record_disks(disks, record.work_dir(), record.undo_dir()));
  Json list = Json::array();
  for (const auto& disk : recorded) list.push_back(to_json(disk));
  settled.detail = {{"disks", list}, {"after", reading::to_json(settled.identities)}};
  return settled;
}

}  // namespace vmpatch::engine
