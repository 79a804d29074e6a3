#include "guest/direct/ext_channel.hpp"

#include <cstdlib>
#include <cstring>
#include <exception>

namespace vmpatch::guest::direct {
namespace {

thread_local ChannelSource* source_to_open = nullptr;

errcode_t open_channel(const char* name, int flags, io_channel* channel);

errcode_t close_channel(io_channel channel) {
  if (--channel->refcount > 0) return 0;
  std::free(channel->name);
  std::free(channel);
  return 0;
}

errcode_t set_block_size(io_channel channel, int size) {
  channel->block_size = size;
  return 0;
}

errcode_t read_blocks64(io_channel channel, unsigned long long block, int count, void* data) {
  auto& source = *static_cast<ChannelSource*>(channel->private_data);
  const auto block_size = static_cast<std::uint64_t>(channel->block_size);
  // A negative count is in bytes.
  const auto length = count < 0 ? static_cast<std::uint64_t>(-static_cast<std::int64_t>(count))
                                : static_cast<std::uint64_t>(count) * block_size;
  if (block_size == 0 || block > source.volume.length / block_size) return EXT2_ET_BAD_BLOCK_NUM;
  // No exception may pass through frames of C.
  try {
    auto done = source.volume.read(block * block_size, {static_cast<char*>(data), static_cast<std::size_t>(length)});
    if (done) return 0;
    source.error = std::move(done).error();
    return EXT2_ET_SHORT_READ;
  } catch (const std::exception&) {
    return EXT2_ET_NO_MEMORY;
  }
}

errcode_t read_blocks(io_channel channel, unsigned long block, int count, void* data) {
  return read_blocks64(channel, block, count, data);
}

errcode_t refuse_write(io_channel /*channel*/, unsigned long /*block*/, int /*count*/, const void* /*data*/) {
  return EXT2_ET_RO_FILSYS;
}

errcode_t refuse_write64(io_channel /*channel*/, unsigned long long /*block*/, int /*count*/, const void* /*data*/) {
  return EXT2_ET_RO_FILSYS;
}

errcode_t flush_nothing(io_channel /*channel*/) { return 0; }

io_manager manager() {
  static struct_io_manager table = [] {
    struct_io_manager made{};
    made.magic = EXT2_ET_MAGIC_IO_MANAGER;
    made.name = "vm-patch NBD";
    made.open = open_channel;
    made.close = close_channel;
    made.set_blksize = set_block_size;
    made.read_blk = read_blocks;
    made.read_blk64 = read_blocks64;
    made.write_blk = refuse_write;
    made.write_blk64 = refuse_write64;
    made.write_byte = refuse_write;
    made.flush = flush_nothing;
    return made;
  }();
  return &table;
}

errcode_t open_channel(const char* name, int /*flags*/, io_channel* channel) {
  if (source_to_open == nullptr) return EXT2_ET_BAD_DEVICE_NAME;
  auto* made = static_cast<io_channel>(std::calloc(1, sizeof(struct_io_channel)));
  if (made == nullptr) return EXT2_ET_NO_MEMORY;
  made->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  made->manager = manager();
  made->name = ::strdup(name);
  made->block_size = 1024;
  made->refcount = 1;
  made->private_data = source_to_open;
  if (made->name == nullptr) {
    std::free(made);
    return EXT2_ET_NO_MEMORY;
  }
  *channel = made;
  return 0;
}

}  // namespace

errcode_t open_filesystem(ChannelSource& source, int flags, ext2_filsys* handle) {
  source_to_open = &source;
  const errcode_t result = ext2fs_open2("disk", nullptr, flags, 0, 0, manager(), handle);
  source_to_open = nullptr;
  return result;
}

}  // namespace vmpatch::guest::direct
