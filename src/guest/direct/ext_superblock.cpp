// Layout: Linux Documentation/filesystems/ext4/super.rst.
#include "guest/direct/signatures.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::uint32_t compat_journal = 0x4;
constexpr std::uint32_t incompat_recover = 0x4;
constexpr std::uint32_t incompat_journal_device = 0x8;
// filetype, meta_bg, extents, 64bit, mmp, flex_bg, csum_seed, largedir, inline_data, encrypt, casefold. Encrypted files
// and casefold folders are refused one by one. Not here: ea_inode, whose values libext2fs copies into buffers sized for
// one block.
constexpr std::uint32_t incompat_known =
    0x2 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000;
// What only ext4 has: extents, 64bit, flex_bg and above; huge_file and above.
constexpr std::uint32_t incompat_ext4 = ~std::uint32_t{0x2 | 0x4 | 0x8 | 0x10};
constexpr std::uint32_t ro_compat_ext4 = ~std::uint32_t{0x7};
// 64 TiB in groups of the usual size; a forged smaller group size would cost memory.
constexpr std::uint64_t max_groups = 1U << 19U;

struct Superblock {
  explicit Superblock(std::string_view sb)
      : first_block(read_le<std::uint32_t>(sb, 20)),
        log_block_size(read_le<std::uint32_t>(sb, 24)),
        blocks_per_group(read_le<std::uint32_t>(sb, 32)),
        inodes_per_group(read_le<std::uint32_t>(sb, 40)),
        compat(read_le<std::uint32_t>(sb, 92)),
        incompat(read_le<std::uint32_t>(sb, 96)),
        ro_compat(read_le<std::uint32_t>(sb, 100)) {
    constexpr std::uint32_t first_revision = 0;  // without a field for it
    inode_size = read_le<std::uint32_t>(sb, 76) == first_revision ? 128 : read_le<std::uint16_t>(sb, 88);
    blocks = read_le<std::uint32_t>(sb, 4);
    if ((incompat & 0x80U) != 0) blocks |= std::uint64_t{read_le<std::uint32_t>(sb, 336)} << 32U;
  }
  std::uint32_t first_block, log_block_size, blocks_per_group, inodes_per_group, compat, incompat, ro_compat;
  std::uint64_t blocks = 0;
  std::uint32_t inode_size = 0;
};

}  // namespace

Signature recognise_ext(std::string_view superblock) {
  if (superblock.size() < 1024 || read_le<std::uint16_t>(superblock, 56) != 0xef53) return {};
  const Superblock sb(superblock);
  Signature found;
  if ((sb.incompat & incompat_journal_device) != 0) {
    found.type = "jbd";
  } else if ((sb.incompat & incompat_ext4) != 0 || (sb.ro_compat & ro_compat_ext4) != 0) {
    found.type = "ext4";
  } else {
    found.type = (sb.compat & compat_journal) != 0 ? "ext3" : "ext2";
  }
  found.uuid = uuid_of(slice(superblock, 104, 16));
  const std::string_view label = slice(superblock, 120, 16);
  found.label = label.substr(0, label.find('\0'));
  return found;
}

Result<void> check_ext_superblock(std::string_view superblock, std::uint64_t size) {
  const Superblock sb(superblock);
  // Damage first: no appliance is started for what it cannot mount either.
  if (sb.log_block_size > 6)
    return fail(Errc::failed, "its superblock is damaged: block size 2^{}", 10 + std::uint64_t{sb.log_block_size});
  const std::uint64_t block_size = std::uint64_t{1024} << sb.log_block_size;
  if (sb.blocks > size / block_size) {
    return fail(Errc::failed,
                "it says that it has {} blocks of {} bytes, but its device holds only {}; the disk may be cut off",
                sb.blocks, block_size, size / block_size);
  }
  if (sb.blocks_per_group == 0 || sb.inodes_per_group == 0 || sb.first_block >= sb.blocks ||
      (sb.blocks - sb.first_block) / sb.blocks_per_group > max_groups) {
    return fail(Errc::failed, "its superblock is damaged: {} blocks in groups of {}", sb.blocks, sb.blocks_per_group);
  }
  if (sb.inode_size < 128 || sb.inode_size > block_size || (sb.inode_size & (sb.inode_size - 1)) != 0) {
    return fail(Errc::failed, "its superblock is damaged: inodes of {} bytes", sb.inode_size);
  }
  if ((sb.incompat & incompat_recover) != 0) {
    return fail(Errc::unsupported, "its journal needs recovery: it was not unmounted cleanly");
  }
  if (const std::uint32_t unknown = sb.incompat & ~incompat_known; unknown != 0) {
    return fail(Errc::unsupported, "it has features that are not read here ({:#x})", unknown);
  }
  return {};
}

}  // namespace vmpatch::guest::direct
