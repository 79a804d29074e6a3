#include "engine/scratch.hpp"

#include "vmpatch/core/file.hpp"

namespace vmpatch::engine {

Result<Scratch> Scratch::make(const std::filesystem::path& place, const std::string& id) {
  VMPATCH_CHECK(make_dirs(place, 0711));
  const auto path = place / id;
  VMPATCH_CHECK(make_dirs(path, 0711));
  return Scratch(path);
}

Scratch& Scratch::operator=(Scratch&& other) noexcept {
  if (this != &other) {
    if (!path_.empty()) (void)remove_tree(path_);
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

Scratch::~Scratch() {
  if (!path_.empty()) (void)remove_tree(path_);
}

}  // namespace vmpatch::engine
