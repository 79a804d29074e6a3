#include "engine/publication.hpp"

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/new_version.hpp"

namespace vmpatch::engine {
namespace {

Result<void> check_room(const fs::path& folder, std::uint64_t bytes, std::uint64_t reserve) {
  VMPATCH_TRY(const auto room, free_space(folder));
  if (room >= bytes + reserve) return {};
  return fail(Errc::refused, "the new version takes {}, and {} are free in {}, of which {} are kept (space_reserve); make room there", format_size(bytes),
              format_size(room), escape_untrusted(folder.string()), format_size(reserve));
}

/// Of about this many bytes each: what is asked to end does not wait for more.
constexpr std::uint64_t piece = 256U << 20U;

std::vector<std::vector<image::Extent>> in_pieces(const std::vector<image::Extent>& extents) {
  std::vector<std::vector<image::Extent>> pieces;
  std::uint64_t room = 0;
  for (auto extent : extents) {
    while (extent.length > 0) {
      if (room == 0) {
        pieces.emplace_back();
        room = piece;
      }
      const auto length = std::min(extent.length, room);
      pieces.back().push_back({extent.offset, length});
      extent.offset += length;
      extent.length -= length;
      room -= length;
    }
  }
  return pieces;
}

/// Copies, and then compares what stands there.
struct Copying {
  const image::Progress& progress;
  const std::function<Result<void>()>& keep_going;

  Result<void> copy(const image::NbdExport& from, const image::NbdExport& to, const std::vector<image::Extent>& data) const {
    const auto total = image::total_length(data);
    std::uint64_t before = 0;
    for (const auto& part : in_pieces(data)) {
      VMPATCH_CHECK(keep_going());
      VMPATCH_CHECK(image::copy_extents(from, to, part, [&](std::uint64_t done, std::uint64_t) { progress(before + done, total); }));
      before += image::total_length(part);
    }
    return {};
  }
  Result<void> compare(const image::NbdExport& from, const image::NbdExport& to, const std::vector<image::Extent>& data) const {
    for (const auto& part : in_pieces(data)) {
      VMPATCH_CHECK(keep_going());
      VMPATCH_CHECK(image::compare_extents(from, to, part));
    }
    return {};
  }
};

Result<void> copy(image::BlockServer& server, const StagedDisk& disk, const image::Chain& made, const image::NbdExport& from, const std::vector<image::Extent>& data,
                  const Copying& copying) {
  VMPATCH_TRY(const auto writable, made.open_top_writable());
  VMPATCH_TRY(const auto to, server.export_writable(made, writable.get(), disk.disk.target + "-to"));
  const auto copied = copying.copy(from, to, data);
  VMPATCH_CHECK(server.remove(to.name));
  return copied;
}

Result<void> compare(image::BlockServer& server, const StagedDisk& disk, const image::Chain& made, const image::NbdExport& from, const std::vector<image::Extent>& data,
                     const Copying& copying) {
  VMPATCH_TRY(const auto read, server.export_chain(made, disk.disk.target + "-back"));
  const auto compare = [&]() -> Result<void> {
    VMPATCH_CHECK(copying.compare(from, read, data));
    // Whatever it has that is not known to be zeros, too.
    VMPATCH_TRY(const auto all, image::data_extents(read));
    return copying.compare(from, read, all);
  };
  const auto same = compare();
  VMPATCH_CHECK(server.remove(read.name));
  return same;
}

}  // namespace

bool is_as_written(const image::DiskIdentity& before, const image::DiskIdentity& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(), [](const image::LayerIdentity& was, const image::LayerIdentity& is) {
    return image::file_id(was) == image::file_id(is) && was.size == is.size && was.mtime_ns == is.mtime_ns && was.header == is.header;
  });
}

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
    std::vector<fs::path> taken;
    for (const auto& version : versions) taken.push_back(version.to);
    VMPATCH_TRY(auto to, image::next_version(staged.disk.source, taken));
    auto part = to.parent_path() / fmt::format(".{}.{}.part", to.filename().string(), run_id);
    versions.push_back({staged.disk.target, staged.disk.source, std::move(to), std::move(part), staged.disk.chain.top().format, {}});
  }
  return versions;
}

Result<WrittenVersion> write_version(image::BlockServer& server, const StagedDisk& disk, Version& version, std::uint64_t reserve, const image::Progress& progress,
                                     const std::function<Result<void>()>& keep_going) {
  VMPATCH_TRY(const auto from, server.export_overlay(disk.disk.chain, disk.redo, disk.disk.target + "-from", false));
  VMPATCH_TRY(const auto data, image::data_extents(from));
  const auto bytes = image::total_length(data);
  const auto folder = version.part.parent_path();
  VMPATCH_CHECK(check_room(folder, bytes, reserve));
  const std::function<Result<void>()> still = [&]() -> Result<void> {
    VMPATCH_CHECK(keep_going());
    return check_room(folder, 0, reserve / 2);  // others fill it, too
  };
  const Copying copying{progress, still};
  const auto shown = fmt::format("new version {}", escape_untrusted(version.to.string()));
  {
    VMPATCH_TRY(const auto made, image::create_image(version.part, version.format, disk.disk.chain.virtual_size()));
    VMPATCH_TRY(const auto empty, made.identity());
    version.id = image::file_id(empty.front());
    if (auto copied = copy(server, disk, made, from, data, copying); !copied) return copied.error().in(shown);
    VMPATCH_CHECK(image::take_attributes(disk.disk.chain.top(), made));
  }
  VMPATCH_TRY(auto chain, image::Chain::open(version.part, version.format, {}));
  VMPATCH_TRY(auto lock, image::ChainLock::acquire(chain, image::Sharing::readers));
  VMPATCH_TRY(auto identity, chain.identity());
  if (auto same = compare(server, disk, chain, from, data, copying); !same) return same.error().in(shown);
  VMPATCH_CHECK(server.remove(from.name));
  if (image::file_id(identity.front()) != version.id) return fail(Errc::refused, "{}: somebody put another file there", shown);
  return WrittenVersion{{version.target, std::move(chain), std::move(lock), std::move(identity)}, bytes};
}

Result<void> show_version(const Version& version, HeldVersion& held) {
  VMPATCH_CHECK(image::rename_image(version.part, version.to));
  VMPATCH_TRY(auto now, held.chain.identity());
  if (!is_as_written(held.identity, now)) return fail(Errc::refused, "{}: somebody else wrote to it", escape_untrusted(version.to.string()));
  held.identity = std::move(now);
  return {};
}

Result<void> remove_versions(const std::vector<Version>& versions) {
  Result<void> first;
  for (const auto& version : versions) {
    if (version.part.empty()) continue;
    std::error_code error;
    fs::remove(version.part, error);  // its name is this run's alone
    if (error && first) first = errno_error(error.value(), "remove " + escape_untrusted(version.part.string()));
    if (version.id.empty()) continue;
    auto removed = image::remove_image(version.to, version.id);
    // Another's file is none of this run's, so there is nothing to be removed.
    if (!removed && removed.error().code != Errc::refused && first) first = removed.error();
  }
  return first;
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
                                 const std::vector<HeldVersion>& held, const RunRecord& record) {
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
  for (const auto& version : held) {
    const auto there = settled.identities.find(version.target);
    if (there != settled.identities.end() && is_as_written(version.identity, there->second)) continue;
    return fail(Errc::failed, "machine {}: disk {} is not what was to be published: {}", escape_untrusted(now.name), escape_untrusted(version.target),
                there == settled.identities.end() ? "it is gone" : image::first_difference(version.identity, there->second));
  }
  VMPATCH_TRY(const auto recorded, record_disks(disks, record.work_dir(), record.undo_dir()));
  Json list = Json::array();
  for (const auto& disk : recorded) list.push_back(to_json(disk));
  settled.detail = {{"disks", list}, {"after", reading::to_json(settled.identities)}};
  return settled;
}

}  // namespace vmpatch::engine
