#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "inventory/files/bare.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_entries = 100'000;
constexpr std::size_t max_entries_named = 20;

/// Entries that were not looked into, and why.
class Entries {
 public:
  void add(const fs::path& path, std::string_view why) {
    if (++count_ <= max_entries_named) texts_.push_back(escape_untrusted(path.native()) + ": " + std::string(why));
  }
  std::vector<std::string> finish(std::string_view what) {
    if (count_ > max_entries_named) texts_.push_back(fmt::format("{} more {}", count_ - max_entries_named, what));
    return std::move(texts_);
  }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> texts_;
};

struct PassedOver {
  Entries notes;  ///< by rule
  Entries gaps;   ///< because it could not be read
};

/// Overlays and undo images in a state directory of ours are nobody's machines.
bool is_state_dir(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored) && fs::exists(entry.path() / "ledger.sqlite", ignored);
}

bool is_unreadable_dir(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.symlink_status(ignored).type() == fs::file_type::directory &&
         ::faccessat(AT_FDCWD, entry.path().c_str(), R_OK | X_OK, AT_EACCESS) != 0;
}

Result<std::vector<BareImage>> load_images(const fs::path& folder, PassedOver& passed_over) {
  const std::string what = "read folder " + escape_untrusted(folder.native());
  std::error_code error;
  // Without follow_directory_symlink. A folder that becomes unreadable after the look at it is passed over, too.
  fs::recursive_directory_iterator entry(folder, error);
  if (error) return errno_error(error.value(), what);
  entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
  std::vector<BareImage> images;
  std::size_t seen = 0;
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (++seen > max_entries) return fail(Errc::refused, "{}: more than {} entries; name smaller folders", what, max_entries);
    const bool is_state = is_state_dir(*entry);
    const bool is_unreadable = !is_state && is_unreadable_dir(*entry);
    if (is_state) passed_over.notes.add(entry->path(), "a state directory of vm-patch, which is passed over");
    if (is_unreadable) passed_over.gaps.add(entry->path(), "this folder may not be read; what is in it is not known");
    if (is_state || is_unreadable) entry.disable_recursion_pending();
    const auto format = format_of_name(entry->path());
    std::error_code ignored;
    const auto type = entry->symlink_status(ignored).type();
    if (format && type == fs::file_type::regular) images.push_back({entry->path(), *format, true});
    if (format && type == fs::file_type::symlink) passed_over.notes.add(entry->path(), "a symbolic link, which is not followed; name the image itself");
  }
  if (error) return errno_error(error.value(), what);
  if (images.empty()) return fail(Errc::not_found, "{}: there is no image in it (*.qcow2, *.raw, *.img)", what);
  std::sort(images.begin(), images.end(), [](const BareImage& a, const BareImage& b) { return a.path < b.path; });
  return images;
}

class FolderSource final : public Source {
 public:
  explicit FolderSource(std::vector<fs::path> folders) : folders_(std::move(folders)) {}

  HostInventory list() override {
    HostInventory result;
    std::vector<BareImage> all;
    std::string problem;
    PassedOver passed_over;
    for (const fs::path& folder : folders_) {
      auto images = load_images(folder, passed_over);
      if (images) {
        all.insert(all.end(), images->begin(), images->end());
      } else {
        problem += (problem.empty() ? "" : "; ") + images.error().message;
      }
    }
    result = make_bare_source(std::move(all))->list();
    result.notes = passed_over.notes.finish("entries of the folders were passed over");
    result.gaps = passed_over.gaps.finish("folders may not be read");
    if (!problem.empty()) result.problem = problem + (result.problem.empty() ? "" : "; ") + result.problem;
    return result;
  }

  Result<Machine> find(const std::string& name) override {
    for (Machine& machine : list().machines) {
      if (machine.uuid == name || machine.name == name) return std::move(machine);
    }
    return fail(Errc::not_found, "no image {} in the folders given; name it with its absolute path", escape_untrusted(name));
  }

  [[nodiscard]] std::string host() const override { return "file"; }

 private:
  std::vector<fs::path> folders_;
};

}  // namespace

std::optional<image::Format> format_of_name(const fs::path& path) {
  const std::string end = path.extension().native();
  if (end == ".qcow2") return image::Format::qcow2;
  if (end == ".img" || end == ".raw") return image::Format::raw;
  return std::nullopt;
}

std::unique_ptr<Source> make_folder_source(std::vector<fs::path> folders) {
  return std::make_unique<FolderSource>(std::move(folders));
}

}  // namespace vmpatch::inventory
