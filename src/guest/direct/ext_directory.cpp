#include "guest/direct/ext_directory.hpp"

#include <exception>
#include <optional>
#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

// Inode number, length of the entry, length of the name, type; then the name.
constexpr unsigned entry_head = 8;

/// Hands over what is no empty entry.
class Visitor {
 public:
  explicit Visitor(const EachEntry& each) : each_(each) {}
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  bool refuse(Error why) {
    error_ = std::move(why);
    return false;
  }

  bool visit(const ext2_dir_entry& entry) {
    if (entry.inode == 0) return true;
    const std::string_view name(entry.name, static_cast<std::size_t>(ext2fs_dirent_name_len(&entry)));
    if (name == "." || name == "..") return true;
    if (name.empty() || name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
      return refuse(fail(Errc::failed, "the directory is damaged: it holds an impossible name"));
    }
    return each_({name, entry.inode, ext2fs_dirent_file_type(&entry)});
  }

 private:
  const EachEntry& each_;
  std::optional<Error> error_;
};

int visit_inline(ext2_ino_t /*dir*/, int /*kind*/, ext2_dir_entry* entry, int /*offset*/, int /*blocksize*/, char* /*buf*/,
                 void* data) {
  auto& visitor = *static_cast<Visitor*>(data);
  // No exception may pass through frames of C.
  try {
    return visitor.visit(*entry) ? 0 : DIRENT_ABORT;
  } catch (const std::exception&) {
    visitor.refuse(Error{Errc::failed, "not enough memory"});
    return DIRENT_ABORT;
  }
}

/// True to go on with the next block.
Result<bool> walk_block(ext2_filsys fs, std::string& block, Visitor& visitor) {
  const unsigned size = fs->blocksize;
  for (unsigned at = 0; at + entry_head <= size;) {
    void* place = block.data() + at;
    auto* entry = static_cast<ext2_dir_entry*>(place);
    unsigned length = 0;
    if (ext2fs_get_rec_len(fs, entry, &length) != 0 || length < entry_head || length % 4 != 0 || length > size - at ||
        static_cast<unsigned>(ext2fs_dirent_name_len(entry)) + entry_head > length) {
      return fail(Errc::failed, "the directory is damaged: it holds an entry of {} bytes", length);
    }
    if (!visitor.visit(*entry)) return false;
    at += length;
  }
  return true;
}

}  // namespace

Result<void> walk_directory(ext2_filsys fs, std::uint32_t number, ext2_inode_large& inode, const EachEntry& each,
                            const Deadline& deadline, const std::function<Error(errcode_t)>& explain) {
  Visitor visitor(each);
  if ((inode.i_flags & EXT4_INLINE_DATA_FL) != 0) {
    const errcode_t code = ext2fs_dir_iterate2(fs, number, 0, nullptr, visit_inline, &visitor);
    if (visitor.error()) return *visitor.error();
    if (code != 0) return explain(code);
    return {};
  }
  const std::uint64_t size = EXT2_I_SIZE(&inode);
  if (size > max_directory_bytes) return fail(Errc::failed, "the directory has {}, more than any honest one", format_size(size));
  void* generic = &inode;
  std::string block(fs->blocksize, '\0');
  std::string pointers(std::size_t{2} * fs->blocksize, '\0');  // what ext2fs_bmap2() works in
  for (std::uint64_t i = 0; i * fs->blocksize < size; ++i) {
    VMPATCH_CHECK(deadline.check());
    blk64_t where = 0;
    int flags = 0;
    if (const errcode_t code = ext2fs_bmap2(fs, number, static_cast<ext2_inode*>(generic), pointers.data(), 0, i, &flags, &where); code != 0) {
      return explain(code);
    }
    if (where == 0 || (flags & BMAP_RET_UNINIT) != 0) continue;  // a hole
    if (const errcode_t code = ext2fs_read_dir_block4(fs, where, block.data(), 0, number); code != 0) return explain(code);
    VMPATCH_TRY(const bool more, walk_block(fs, block, visitor));
    if (visitor.error()) return *visitor.error();
    if (!more) return {};
  }
  return {};
}

}  // namespace vmpatch::guest::direct
