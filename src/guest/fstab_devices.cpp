#include "guest/fstab_devices.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "vmpatch/core/format.hpp"

namespace vmpatch::guest {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string letters(unsigned index) {
  std::string name;
  for (++index; index > 0; index = (index - 1) / 26) name.insert(name.begin(), static_cast<char>('a' + (index - 1) % 26));
  return name;
}

/// What the adapters call disk `index`, partition `part` ("" = the whole disk).
std::string adapter_name(unsigned index, std::string_view part) { return fmt::format("/dev/sd{}{}", letters(index), part); }

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// /dev/vdb2 → /dev/sdb2, /dev/nvme1n1p2 → /dev/sdb2: by the order of the disks.
std::optional<std::string> map_by_order(std::string_view device) {
  for (const std::string_view prefix : {"/dev/sd", "/dev/vd", "/dev/xvd", "/dev/hd"}) {
    if (!device.starts_with(prefix)) continue;
    const std::string_view rest = device.substr(prefix.size());
    const std::string_view disk = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
    const std::string_view part = rest.substr(disk.size());
    if (disk.empty() || disk.size() > 2 || (!part.empty() && !all_digits(part))) return std::nullopt;
    unsigned index = 0;
    for (const char c : disk) index = index * 26 + static_cast<unsigned>(c - 'a') + 1;
    return adapter_name(index - 1, part);
  }
  for (const std::string_view prefix : {"/dev/nvme", "/dev/mmcblk"}) {
    if (!device.starts_with(prefix)) continue;
    std::string_view rest = device.substr(prefix.size());
    unsigned index = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (error != std::errc{} || index > 700) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (prefix == "/dev/nvme") {
      if (!rest.starts_with("n1")) return std::nullopt;
      rest.remove_prefix(2);
    }
    if (rest.empty()) return adapter_name(index, "");
    if (rest.front() != 'p' || !all_digits(rest.substr(1))) return std::nullopt;
    return adapter_name(index, rest.substr(1));
  }
  return std::nullopt;
}

/// /dev/mapper/my--group-root → /dev/my-group/root: device-mapper doubles hyphens inside names.
std::optional<std::string> logical_volume(std::string_view device) {
  constexpr std::string_view prefix = "/dev/mapper/";
  if (!device.starts_with(prefix)) return std::nullopt;
  std::string result = "/dev/";
  bool split_done = false;
  const std::string_view name = device.substr(prefix.size());
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '-') {
      result += name[i];
    } else if (i + 1 < name.size() && name[i + 1] == '-') {
      result += '-';
      ++i;
    } else if (!split_done) {
      result += '/';
      split_done = true;
    } else {
      return std::nullopt;
    }
  }
  return split_done ? std::optional(result) : std::nullopt;
}

struct Name {
  std::string FileSystem::*member;
  std::string_view tag, folder;
  bool any_case;
};

constexpr std::array<Name, 4> names{{{&FileSystem::uuid, "UUID=", "/dev/disk/by-uuid/", true},
                                     {&FileSystem::label, "LABEL=", "/dev/disk/by-label/", false},
                                     {&FileSystem::part_uuid, "PARTUUID=", "/dev/disk/by-partuuid/", true},
                                     {&FileSystem::part_label, "PARTLABEL=", "/dev/disk/by-partlabel/", false}}};

std::string_view without_quotes(std::string_view value) {
  const bool quoted = value.size() > 1 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front();
  return quoted ? value.substr(1, value.size() - 2) : value;
}

/// The value where `what` is of that kind.
std::optional<std::string> value_of(const Name& name, std::string_view what) {
  if (what.starts_with(name.tag)) return std::string(without_quotes(what.substr(name.tag.size())));
  if (what.starts_with(name.folder)) return decode_escaped_name(what.substr(name.folder.size()));
  return std::nullopt;
}

template <class Predicate>
std::vector<FileSystem> select(const std::vector<FileSystem>& all, const Predicate& predicate) {
  std::vector<FileSystem> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found), predicate);
  return found;
}

}  // namespace

std::string decode_escaped_name(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text.substr(i).starts_with("\\x") && i + 4 <= text.size() &&
        std::from_chars(text.data() + i + 2, text.data() + i + 4, value, 16).ptr == text.data() + i + 4) {
      result += static_cast<char>(value);
      i += 3;
    } else {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      result += text[i];
    }
  }
  return result;
}

SourceKind source_kind(std::string_view what) {
  for (const Name& name : names) {
    if (!value_of(name, what)) continue;
    // A partition's own names are in its table, which every adapter reads.
    return name.member == &FileSystem::uuid || name.member == &FileSystem::label ? SourceKind::name : SourceKind::device;
  }
  if (what.starts_with("/dev/disk/") || what.starts_with("ID=")) return SourceKind::hardware;
  return what.starts_with("/dev/") ? SourceKind::device : SourceKind::none;
}

std::vector<FileSystem> find_devices(std::string_view what, const std::vector<FileSystem>& all) {
  for (const Name& name : names) {
    const auto value = value_of(name, what);
    if (!value) continue;
    return select(all, [&](const FileSystem& f) {
      const std::string& own = f.*name.member;
      return !own.empty() && (name.any_case ? lower(own) == lower(*value) : own == *value);
    });
  }
  std::string device(what);
  if (const auto mapped = map_by_order(what)) device = *mapped;
  else if (const auto volume = logical_volume(what)) device = *volume;
  return select(all, [&](const FileSystem& f) { return f.block_device() == device; });
}

}  // namespace vmpatch::guest
