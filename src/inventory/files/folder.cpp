#include <algorithm>
#include <optional>

#include "inventory/files/bare.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_entries = 100'000;

/// Overlays and undo images in a state directory of ours are nobody's machines.
bool is_state_dir(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored) && fs::exists(entry.path() / "ledger.sqlite", ignored);
}

Result<std::vector<BareImage>> load_images(const fs::path& folder) {
  const std::string what = "read folder " + escape_untrusted(folder.native());
  std::error_code error;
  // Without follow_directory_symlink; a folder below that may not be read is passed over.
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error);
  std::vector<BareImage> images;
  std::size_t seen = 0;
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (++seen > max_entries) return fail(Errc::refused, "{}: more than {} entries; name smaller folders", what, max_entries);
    if (is_state_dir(*entry)) entry.disable_recursion_pending();
    const auto format = format_of_name(entry->path());
    std::error_code ignored;
    if (format && entry->symlink_status(ignored).type() == fs::file_type::regular) images.push_back({entry->path(), *format});
  }
  if (error) return errno_error(error.value(), what);
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
    for (const fs::path& folder : folders_) {
      auto images = load_images(folder);
      if (images) {
        all.insert(all.end(), images->begin(), images->end());
      } else {
        problem += (problem.empty() ? "" : "; ") + images.error().message;
      }
    }
    result = make_bare_source(std::move(all))->list();
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
