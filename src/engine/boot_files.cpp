#include "engine/boot_files.hpp"

#include <array>

#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::size_t most_files = 100'000;

struct Tree {
  const char* path;
  unsigned depth;  ///< of folders that are looked into
};
constexpr std::array trees{Tree{"/boot", 16}, Tree{"/efi", 16}, Tree{"/lib/modules", 2}, Tree{"/usr/lib/modules", 2}, Tree{"/lib/firmware", 2}, Tree{"/usr/lib/firmware", 2}};

class Describer {
 public:
  explicit Describer(guest::Guest& guest) : guest_(guest) {}

  Result<void> look(const std::string& path, unsigned depth) {
    const auto info = guest_.lstat(path);
    if (!info && info.error().code == Errc::not_found) return {};
    if (!info) return info.error();
    if (++count_ > most_files) return fail(Errc::refused, "more than {} files to start from", most_files);
    text_ += fmt::format("{} {} {:o} {} {}", path.size(), static_cast<int>(info->kind), info->mode, info->size, info->mtime);
    text_ += path;
    if (info->kind == guest::FileKind::symlink) {
      VMPATCH_TRY(const auto target, guest_.readlink(path));
      text_ += " " + target;
    }
    text_ += "\n";
    if (info->kind != guest::FileKind::directory || depth == 0) return {};
    VMPATCH_TRY(const auto entries, guest_.list(path));
    for (const auto& entry : entries) VMPATCH_CHECK(look(path + "/" + entry.name, depth - 1));
    return {};
  }

  std::string take() { return std::move(text_); }

 private:
  guest::Guest& guest_;
  std::size_t count_ = 0;
  std::string text_;
};

}  // namespace

Result<std::string> describe_boot_files(guest::Guest& guest) {
  Describer describer(guest);
  for (const auto& tree : trees) VMPATCH_CHECK(describer.look(tree.path, tree.depth));
  return describer.take();
}

}  // namespace vmpatch::engine
