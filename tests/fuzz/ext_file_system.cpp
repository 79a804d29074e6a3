// An ext file system of arbitrary bytes through libext2fs and the path walk: values or errors, in bounded memory and
// time. The input begins with the superblock: the boot block before it says nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "guest/direct/signatures.hpp"
#include "guest/direct/tree.hpp"

namespace {

using namespace vmpatch;
using namespace vmpatch::guest;
using namespace vmpatch::guest::direct;

constexpr std::uint64_t boot_block = 1024;
constexpr std::uint64_t size = 256U << 10U;
constexpr std::size_t max_visits = 200;
constexpr std::size_t max_content = 1U << 20U;  ///< bytes of all files; content is not part of the budget of time

/// The input, and zeros before and behind it. Nothing is allocated for them: that would be most of the time.
class Memory final : public BlockSource {
 public:
  explicit Memory(std::string_view bytes) : bytes_(bytes) {}
  Result<void> read(std::uint64_t offset, std::span<char> to) override {
    if (offset > size || to.size() > size - offset) std::abort();
    std::fill(to.begin(), to.end(), '\0');
    const std::uint64_t begin = std::max(offset, boot_block);
    const std::uint64_t end = std::min<std::uint64_t>(offset + to.size(), boot_block + bytes_.size());
    if (begin < end) std::memcpy(to.data() + (begin - offset), bytes_.data() + (begin - boot_block), end - begin);
    return {};
  }

 private:
  std::string_view bytes_;
};

struct Spent {
  std::size_t visits = 0;
  std::size_t content = 0;
};

void visit(Tree& tree, const std::string& directory, Spent& spent) {
  const auto found = tree.resolve(directory, true);
  if (!found || found->how != Found::How::node || found->node.stat.kind != FileKind::directory) return;
  const auto entries = tree.list(found->node);
  if (!entries) return;
  for (const ExtEntry& entry : *entries) {
    if (++spent.visits > max_visits) return;
    const std::string path = directory + "/" + entry.name;
    const auto child = tree.resolve(path, true);
    if (!child || child->how != Found::How::node) continue;
    if (child->node.stat.kind == FileKind::regular) {
      (void)child->node.fs->content(child->node.inode, [&](std::string_view piece) {
        spent.content += piece.size();
        return spent.content < max_content;
      });
    } else if (child->node.stat.kind == FileKind::directory) {
      visit(tree, path, spent);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), length);
  Memory disk(bytes);
  // A part of what a guest may take: many inputs find ways to spend all of it.
  Deadline deadline(std::chrono::milliseconds(10));
  const Deadline::Operation timed(deadline);
  const Volume volume{&disk, 0, size};
  std::string superblock(slice(bytes, 0, 1024));
  superblock.resize(1024, '\0');
  if (!recognise_ext(superblock).is_ext() || !check_ext_superblock(superblock, size)) return 0;
  const auto fs = ExtFileSystem::open(volume, deadline);
  if (!fs) return 0;
  Tree tree(**fs);
  Spent spent;
  visit(tree, "/", spent);
  return 0;
}
