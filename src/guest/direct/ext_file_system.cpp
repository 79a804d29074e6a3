#include "guest/direct/ext_file_system.hpp"

#include <algorithm>
#include <cstring>

#include "guest/direct/ext_channel.hpp"
#include "guest/direct/ext_directory.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::size_t piece_size = 256U << 10U;
// EXT4_MAX_EXTENT_DEPTH of the kernel.
constexpr std::uint16_t max_extent_depth = 5;

struct FreeFs {
  void operator()(struct_ext2_filsys* fs) const { ext2fs_free(fs); }
};
struct CloseFile {
  void operator()(ext2_file* file) const { ext2fs_file_close(file); }
};

FileKind kind_of_mode(unsigned mode) {
  switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
      return FileKind::regular;
    case LINUX_S_IFDIR:
      return FileKind::directory;
    case LINUX_S_IFLNK:
      return FileKind::symlink;
    case LINUX_S_IFCHR:
      return FileKind::character;
    case LINUX_S_IFBLK:
      return FileKind::block;
    case LINUX_S_IFIFO:
      return FileKind::fifo;
    case LINUX_S_IFSOCK:
      return FileKind::socket;
    default:
      return FileKind::unknown;
  }
}

FileKind kind_of_entry(int type) {
  switch (type) {
    case EXT2_FT_REG_FILE:
      return FileKind::regular;
    case EXT2_FT_DIR:
      return FileKind::directory;
    case EXT2_FT_CHRDEV:
      return FileKind::character;
    case EXT2_FT_BLKDEV:
      return FileKind::block;
    case EXT2_FT_FIFO:
      return FileKind::fifo;
    case EXT2_FT_SOCK:
      return FileKind::socket;
    case EXT2_FT_SYMLINK:
      return FileKind::symlink;
    default:
      return FileKind::unknown;
  }
}

/// Seconds with the two epoch bits of large inodes.
std::int64_t mtime_of(const ext2_inode_large& inode, std::size_t inode_size) {
  const std::int64_t low = static_cast<std::int32_t>(inode.i_mtime);
  constexpr std::size_t end = offsetof(ext2_inode_large, i_mtime_extra) + sizeof inode.i_mtime_extra;
  if (inode_size < end || 128U + inode.i_extra_isize < end) return low;
  return low + (static_cast<std::int64_t>(inode.i_mtime_extra & 3U) << 32U);
}

}  // namespace

struct ExtFileSystem::State {
  ChannelSource source;
  Deadline* deadline = nullptr;
  std::unique_ptr<struct_ext2_filsys, FreeFs> fs;

  Error error(errcode_t code, std::string_view what, InodeNumber inode) {
    if (source.error) {
      Error found = std::move(*source.error);
      source.error.reset();
      return found.in(fmt::format("{} inode {}", what, inode));
    }
    return fail(Errc::failed, "{} inode {}: {}", what, inode, error_message(code));
  }

  /// The inode, once it is sure that libext2fs reads it within its own buffers.
  Result<ext2_inode_large> inode(InodeNumber number) {
    VMPATCH_CHECK(deadline->check());
    ext2_inode_large found{};
    void* generic = &found;
    const errcode_t code = ext2fs_read_inode_full(fs.get(), number, static_cast<ext2_inode*>(generic), sizeof found);
    if (code != 0) return error(code, "read", number);
    const auto foreign = [&](bool known, std::string_view what) {
      return known ? fail(Errc::unsupported, "inode {} {}", number, what)
                   : fail(Errc::failed, "inode {} is damaged: it {}, and the file system has no such feature", number, what);
    };
    if ((found.i_flags & EXT4_ENCRYPT_FL) != 0) return foreign(ext2fs_has_feature_encrypt(fs->super) != 0, "is encrypted");
    if ((found.i_flags & EXT4_CASEFOLD_FL) != 0)
      return foreign(ext2fs_has_feature_casefold(fs->super) != 0, "ignores case in names");
    if ((found.i_flags & EXT4_EXTENTS_FL) != 0) {
      ext3_extent_header header{};
      std::memcpy(&header, found.i_block, sizeof header);
      if (ext2fs_le16_to_cpu(header.eh_depth) > max_extent_depth) {
        return fail(Errc::failed, "inode {} is damaged: its extent tree is too deep", number);
      }
    }
    return found;
  }

  /// libext2fs copies inline data into a buffer of three blocks, whatever its size.
  Result<void> check_inline(InodeNumber number, const ext2_inode_large& inode) {
    if ((inode.i_flags & EXT4_INLINE_DATA_FL) == 0) return {};
    std::size_t size = 0;
    if (const errcode_t code = ext2fs_inline_data_size(fs.get(), number, &size); code != 0)
      return error(code, "read", number);
    if (size > fs->blocksize) return fail(Errc::failed, "inode {} is damaged: {} bytes of inline data", number, size);
    return {};
  }

  Result<void> walk(InodeNumber directory, const EachEntry& each) {
    VMPATCH_TRY(ext2_inode_large found, inode(directory));
    if (kind_of_mode(found.i_mode) != FileKind::directory) return fail(Errc::failed, "inode {} is not a directory", directory);
    VMPATCH_CHECK(check_inline(directory, found));
    return walk_directory(fs.get(), directory, found, each, *deadline,
                          [&](errcode_t code) { return error(code, "list", directory); });
  }

  Result<void> read_content(InodeNumber number, ext2_inode_large& inode,
                            const std::function<bool(std::string_view)>& sink, std::uint64_t offset = 0) {
    VMPATCH_CHECK(check_inline(number, inode));
    void* generic = &inode;
    ext2_file_t opened = nullptr;
    if (const errcode_t code = ext2fs_file_open2(fs.get(), number, static_cast<ext2_inode*>(generic), 0, &opened);
        code != 0) {
      return error(code, "open", number);
    }
    const std::unique_ptr<ext2_file, CloseFile> file(opened);
    const std::uint64_t size = EXT2_I_SIZE(&inode);
    if (offset >= size) return {};
    if (const errcode_t code = ext2fs_file_llseek(file.get(), offset, EXT2_SEEK_SET, nullptr); code != 0) {
      return error(code, "read", number);
    }
    std::string buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, piece_size)), '\0');
    for (std::uint64_t left = size - offset; left > 0;) {
      VMPATCH_CHECK(deadline->check());
      const auto before = deadline->used();
      unsigned got = 0;
      const auto wanted = static_cast<unsigned>(std::min<std::uint64_t>(left, buffer.size()));
      const errcode_t code = ext2fs_file_read(file.get(), buffer.data(), wanted, &got);
      if (code != 0) return error(code, "read", number);
      if (got == 0) return fail(Errc::failed, "inode {} is damaged: its content ends before its size", number);
      const bool more = sink({buffer.data(), got});
      deadline->forgive_content(before, got);
      if (!more) return {};
      left -= got;
    }
    return {};
  }
};

ExtFileSystem::ExtFileSystem(std::unique_ptr<State> state) : state_(std::move(state)) {}
ExtFileSystem::~ExtFileSystem() = default;

Result<std::unique_ptr<ExtFileSystem>> ExtFileSystem::open(const Volume& volume, Deadline& deadline) {
  auto state = std::make_unique<State>();
  state->source.volume = volume;
  state->deadline = &deadline;
  ext2_filsys handle = nullptr;
  initialize_ext2_error_table();
  const errcode_t code = open_filesystem(state->source, EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, &handle);
  state->fs.reset(handle);
  if (code != 0) {
    if (state->source.error) return std::move(*state->source.error);
    const bool feature =
        code == EXT2_ET_UNSUPP_FEATURE || code == EXT2_ET_RO_UNSUPP_FEATURE || code == EXT2_ET_UNKNOWN_CSUM;
    return fail(feature ? Errc::unsupported : Errc::failed, "{}", error_message(code));
  }
  return std::unique_ptr<ExtFileSystem>(new ExtFileSystem(std::move(state)));
}

Result<FileStat> ExtFileSystem::stat(InodeNumber inode) {
  VMPATCH_TRY(const ext2_inode_large found, state_->inode(inode));
  FileStat stat;
  stat.kind = kind_of_mode(found.i_mode);
  stat.mode = found.i_mode & 07777U;
  stat.uid = found.i_uid | (std::uint32_t{found.osd2.linux2.l_i_uid_high} << 16U);
  stat.gid = found.i_gid | (std::uint32_t{found.osd2.linux2.l_i_gid_high} << 16U);
  stat.size = EXT2_I_SIZE(&found);
  stat.mtime = mtime_of(found, EXT2_INODE_SIZE(state_->fs->super));
  return stat;
}

Result<std::vector<ExtEntry>> ExtFileSystem::entries(InodeNumber directory) {
  std::vector<ExtEntry> entries;
  std::size_t name_bytes = 0;
  bool too_many = false;
  VMPATCH_CHECK(state_->walk(directory, [&](const DirectoryEntry& entry) {
    name_bytes += entry.name.size();
    too_many = entries.size() == max_entries || name_bytes > max_name_bytes;
    if (!too_many) entries.push_back({std::string(entry.name), entry.inode, kind_of_entry(entry.type)});
    return !too_many;
  }));
  if (too_many) {
    return fail(Errc::failed, "the directory has more than {} entries or {} bytes of names", max_entries, max_name_bytes);
  }
  return entries;
}

Result<std::optional<InodeNumber>> ExtFileSystem::find(InodeNumber directory, std::string_view name) {
  std::optional<InodeNumber> found;
  bool twice = false;
  VMPATCH_CHECK(state_->walk(directory, [&](const DirectoryEntry& entry) {
    if (entry.name != name) return true;
    twice = found.has_value();
    found = entry.inode;
    return !twice;
  }));
  if (twice) return name_twice(directory, name);
  return found;
}

Error ExtFileSystem::name_twice(InodeNumber directory, std::string_view name) {
  return fail(Errc::failed, "the directory of inode {} is damaged: it holds the name {} twice, and the guest may open the other one; run e2fsck -f on it",
              directory, escape_untrusted(name));
}

Result<std::string> ExtFileSystem::link_target(InodeNumber inode) {
  VMPATCH_TRY(ext2_inode_large found, state_->inode(inode));
  const std::uint64_t size = EXT2_I_SIZE(&found);
  if (kind_of_mode(found.i_mode) != FileKind::symlink || size > max_link) {
    return fail(Errc::failed, "inode {} is damaged: a symbolic link of {} bytes", inode, size);
  }
  std::string target;
  if ((found.i_flags & EXT4_INLINE_DATA_FL) == 0 && size < sizeof found.i_block) {
    target.resize(static_cast<std::size_t>(size));
    std::memcpy(target.data(), found.i_block, target.size());
  } else {
    VMPATCH_CHECK(state_->read_content(inode, found, [&](std::string_view piece) {
      target += piece;
      return true;
    }));
  }
  return target.substr(0, target.find('\0'));
}

Result<void> ExtFileSystem::content(InodeNumber inode, const std::function<bool(std::string_view)>& sink) {
  VMPATCH_TRY(ext2_inode_large found, state_->inode(inode));
  if (kind_of_mode(found.i_mode) != FileKind::regular)
    return fail(Errc::failed, "inode {} is not a regular file", inode);
  return state_->read_content(inode, found, sink);
}

Result<std::string> ExtFileSystem::range(InodeNumber inode, std::uint64_t offset, std::uint64_t length) {
  VMPATCH_TRY(ext2_inode_large found, state_->inode(inode));
  if (kind_of_mode(found.i_mode) != FileKind::regular)
    return fail(Errc::failed, "inode {} is not a regular file", inode);
  std::string bytes;
  if (length == 0) return bytes;
  const auto take = [&](std::string_view piece) {
    bytes += piece.substr(0, static_cast<std::size_t>(length - bytes.size()));
    return bytes.size() < length;
  };
  VMPATCH_CHECK(state_->read_content(inode, found, take, offset));
  return bytes;
}

}  // namespace vmpatch::guest::direct
