
#include <algorithm>
#include <cerrno>

#include "guest/guestfs/appliance_guest.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::uint64_t max_digest_size = 16ULL << 30U;
// A message holds at most 4 MiB. One costs 2 ms in an appliance without KVM, a stream of a file some 200 ms.
constexpr std::uint64_t max_in_one_message = 2U << 20U;

FileKind kind_of(unsigned mode) {
  switch (mode & 0170000U) {
    case 0100000U: return FileKind::regular;
    case 0040000U: return FileKind::directory;
    case 0120000U: return FileKind::symlink;
    case 0020000U: return FileKind::character;
    case 0060000U: return FileKind::block;
    case 0010000U: return FileKind::fifo;
    case 0140000U: return FileKind::socket;
    default: return FileKind::unknown;
  }
}

FileKind kind_of(char type) {
  switch (type) {
    case 'r': return FileKind::regular;
    case 'd': return FileKind::directory;
    case 'l': return FileKind::symlink;
    case 'c': return FileKind::character;
    case 'b': return FileKind::block;
    case 'f': return FileKind::fifo;
    case 's': return FileKind::socket;
    default: return FileKind::unknown;
  }
}

FileStat to_stat(const struct guestfs_statns& info) {
  FileStat stat;
  const auto mode = static_cast<unsigned>(info.st_mode);
  stat.kind = kind_of(mode);
  stat.mode = mode & 07777U;
  stat.uid = static_cast<std::uint32_t>(info.st_uid);
  stat.gid = static_cast<std::uint32_t>(info.st_gid);
  stat.size = static_cast<std::uint64_t>(std::max<std::int64_t>(info.st_size, 0));
  stat.mtime = info.st_mtime_sec;
  return stat;
}

}  // namespace

Result<FileStat> ApplianceGuest::stat(const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  const StatPtr info(guestfs_statns(g(), path.c_str()));
  if (!info) return last_error(g(), "look at", path);
  return to_stat(*info);
}

Result<FileStat> ApplianceGuest::lstat(const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  const StatPtr info(guestfs_lstatns(g(), path.c_str()));
  if (!info) return last_error(g(), "look at", path);
  return to_stat(*info);
}

Result<std::string> ApplianceGuest::readlink(const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  const CString target(guestfs_readlink(g(), path.c_str()));
  if (!target) return last_error(g(), "read link", path);
  return std::string(target.get());
}

Result<std::string> ApplianceGuest::read_small(const std::string& path, std::uint64_t size) {
  if (size == 0) return std::string();
  std::size_t got = 0;
  const CString bytes(guestfs_pread(g(), path.c_str(), static_cast<int>(size), 0, &got));
  if (!bytes) return last_error(g(), "read", path);
  if (got != size) return fail(Errc::failed, "cannot read {}: {} of {} bytes", escape_untrusted(path), got, size);
  return std::string(bytes.get(), got);
}

Result<void> ApplianceGuest::each_piece(const std::string& path, std::uint64_t offset, std::uint64_t length,
                                        const std::function<void(std::string_view)>& take) {
  for (std::uint64_t done = 0; done < length;) {
    std::size_t got = 0;
    const auto count = static_cast<int>(std::min(max_in_one_message, length - done));
    const CString piece(guestfs_pread(g(), path.c_str(), count, static_cast<std::int64_t>(offset + done), &got));
    if (!piece) return last_error(g(), "read", path);
    if (got == 0) return fail(Errc::failed, "cannot read {}: it ends before its size", escape_untrusted(path));
    take({piece.get(), got});
    done += got;
  }
  return {};
}

Result<std::string> ApplianceGuest::read(const std::string& path, std::uint64_t max_bytes) {
  // First what it is: opening a FIFO or a device of the guest would hang the appliance.
  VMPATCH_TRY(const FileStat info, stat(path));
  if (info.kind != FileKind::regular) return fail(Errc::failed, "cannot read {}: not a regular file", escape_untrusted(path));
  if (info.size > max_bytes) {
    return fail(Errc::failed, "cannot read {}: {} is more than the limit of {}", escape_untrusted(path), format_size(info.size), format_size(max_bytes));
  }
  if (info.size <= max_in_one_message) return read_small(path, info.size);
  std::string content;
  VMPATCH_CHECK(each_piece(path, 0, info.size, [&](std::string_view piece) { content += piece; }));
  return content;
}

Result<std::string> ApplianceGuest::read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  if (length > max_range) return fail(Errc::failed, "{} bytes at once are more than {}", length, max_range);
  VMPATCH_TRY(const FileStat info, stat(path));
  if (info.kind != FileKind::regular) return fail(Errc::failed, "cannot read {}: not a regular file", escape_untrusted(path));
  const std::uint64_t wanted = offset < info.size ? std::min(length, info.size - offset) : 0;
  std::string bytes;
  VMPATCH_CHECK(each_piece(path, offset, wanted, [&](std::string_view piece) { bytes += piece; }));
  return bytes;
}

Result<std::vector<DirEntry>> ApplianceGuest::list(const std::string& dir) {
  VMPATCH_CHECK(check_open(dir));
  constexpr std::size_t max_entries = 1'000'000;
  const EntriesPtr found(guestfs_readdir(g(), dir.c_str()));
  if (!found) {
    Error error = last_error(g(), "list", dir);
    if (guestfs_last_errno(g()) == ENOTDIR) error.code = Errc::failed;
    return error;
  }
  if (found->len > max_entries) return fail(Errc::failed, "cannot list {}: more than {} entries", escape_untrusted(dir), max_entries);
  std::vector<DirEntry> entries;
  for (std::uint32_t i = 0; i < found->len; ++i) {
    std::string name = found->val[i].name;
    if (name == "." || name == "..") continue;
    entries.push_back({std::move(name), kind_of(found->val[i].ftyp)});
  }
  std::sort(entries.begin(), entries.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

Result<std::vector<std::optional<Digest>>> ApplianceGuest::digests(const std::vector<std::string>& paths) {
  // Not by a checksum program: one process a file in the appliance is slower than moving the bytes out, and the guest's own
  // tools may lie.
  std::vector<std::optional<Digest>> digests;
  digests.reserve(paths.size());
  for (const std::string& path : paths) {
    const auto info = stat(path);
    if (!info && info.error().code != Errc::not_found) return info.error();
    if (!info || info->kind != FileKind::regular) {
      digests.emplace_back();
      continue;
    }
    if (info->size <= max_in_one_message) {
      VMPATCH_TRY(const std::string content, read_small(path, info->size));
      digests.emplace_back(sha256(content));
      continue;
    }
    if (info->size > max_digest_size) return fail(Errc::failed, "{} is too large for a digest", escape_untrusted(path));
    // In pieces: the size is the guest's to choose, and a hole costs it nothing.
    Sha256 hash;
    VMPATCH_CHECK(each_piece(path, 0, info->size, [&](std::string_view piece) { hash.update(piece); }));
    digests.emplace_back(hash.finish());
  }
  return digests;
}

}  // namespace vmpatch::guest::guestfs
