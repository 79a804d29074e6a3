#include "engine/own_lists.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// Whether what lies at `path` is what these lists say of it.
Result<bool> is_as_listed(const std::string& path, const guest::PackageLists& lists, guest::Guest& guest, Md5Reader& reader) {
  const auto sum = lists.sums.find(path);
  if (sum != lists.sums.end()) {
    VMPATCH_TRY(const auto found, reader.digest(path));
    return found == sum->second;
  }
  VMPATCH_TRY(const auto stat, guest.lstat(path));
  return stat.kind == guest::FileKind::symlink;
}

}  // namespace

Result<std::optional<Md5Digest>> Md5Reader::digest(const std::string& path) {
  const auto stat = guest_.stat(path);
  if (!stat && stat.error().code != Errc::not_found && stat.error().code != Errc::failed) return stat.error();
  if (!stat || stat->kind != guest::FileKind::regular) return std::optional<Md5Digest>();
  VMPATCH_TRY(Md5 hash, Md5::make());
  for (std::uint64_t offset = 0; offset < stat->size;) {
    VMPATCH_TRY(const auto piece, guest_.read_range(path, offset, std::min(stat->size - offset, guest::Guest::max_range)));
    if (piece.empty()) break;
    if (piece.size() > left_) return fail(Errc::failed, "the files that the guest's lists name are larger than {}", format_size(max_bytes));
    left_ -= piece.size();
    offset += piece.size();
    hash.update(piece);
  }
  return std::optional(hash.finish());
}

Result<std::vector<std::optional<std::string>>> find_owners(const std::vector<Foreign>& files, guest::Guest& guest,
                                                            const guest::Facts& facts, Md5Reader& reader) {
  std::vector<std::optional<std::string>> owners(files.size());
  if (files.empty()) return owners;
  for (const auto& package : facts.packages) {
    if (!package.installed()) continue;
    const auto may_own = [&](const Foreign& file) { return file.package.empty() || package.name == file.package; };
    if (std::none_of(files.begin(), files.end(), may_own)) continue;
    VMPATCH_TRY(const auto listed, guest::load_file_list(guest, package));
    const auto names = [&](const Foreign& file) { return may_own(file) && listed.contains(file.path); };
    if (std::none_of(files.begin(), files.end(), names)) continue;
    const auto lists = guest::load_package_lists(guest, package);
    if (!lists && lists.error().code != Errc::not_found && lists.error().code != Errc::failed) return lists.error();
    for (std::size_t i = 0; lists && i < files.size(); ++i) {
      if (owners[i] || !names(files[i])) continue;
      VMPATCH_TRY(const bool as_listed, is_as_listed(files[i].path, *lists, guest, reader));
      if (as_listed) owners[i] = fmt::format("{} {}", escape_untrusted(package.name), escape_untrusted(package.version));
    }
  }
  return owners;
}

}  // namespace vmpatch::engine
