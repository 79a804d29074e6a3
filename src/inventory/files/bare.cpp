#include "inventory/files/bare.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::inventory {
namespace {

// The last component stays as it is: the screen refuses a symlink there, and says so.
Result<fs::path> image_path(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  const fs::path folder = fs::canonical(absolute.parent_path(), error);
  const std::string what = "find image " + escape_untrusted(path.native());
  if (error) return errno_error(error.value(), what);
  fs::path result = folder / absolute.filename();
  if (fs::symlink_status(result, error).type() == fs::file_type::not_found) return errno_error(ENOENT, what);
  return result;
}

class BareSource final : public Source {
 public:
  explicit BareSource(std::vector<BareImage> images) : images_(std::move(images)) {}

  HostInventory list() override {
    HostInventory result;
    result.host = host();
    for (const BareImage& image : images_) {
      auto machine = make_bare_machine(image);
      if (!machine) {
        result.problem += (result.problem.empty() ? "" : "; ") + machine.error().message;
        continue;
      }
      const auto same = [&](const Machine& other) { return other.uuid == machine->uuid; };
      if (std::none_of(result.machines.begin(), result.machines.end(), same)) result.machines.push_back(std::move(*machine));
    }
    return result;
  }

  Result<Machine> find(const std::string& name) override {
    for (const BareImage& image : images_) {
      auto machine = make_bare_machine(image);
      const auto wanted = image_path(name);
      if (machine && (machine->uuid == name || (wanted && wanted->native() == machine->name))) return machine;
    }
    return fail(Errc::not_found, "no image {} was given; name it with -a", escape_untrusted(name));
  }

  [[nodiscard]] std::string host() const override { return "file"; }

 private:
  std::vector<BareImage> images_;
};

}  // namespace

Result<Machine> make_bare_machine(const BareImage& image) {
  VMPATCH_TRY(const auto path, image_path(image.path));
  Machine machine;
  machine.host = "file";
  machine.name = path.native();
  machine.uuid = named_uuid("image:" + path.native());
  machine.state = State::shutoff;
  machine.bare = true;
  Disk disk;
  disk.target = "image";
  disk.source = path;
  disk.source_kind = "file";
  disk.format = std::string(image::to_string(image.format));
  disk.format_by_name = image.by_name;
  machine.disks.push_back(std::move(disk));
  return machine;
}

std::unique_ptr<Source> make_bare_source(std::vector<BareImage> images) {
  return std::make_unique<BareSource>(std::move(images));
}

}  // namespace vmpatch::inventory
