#pragma once
// The short-lived folder of one reading or one run: sockets and the worker's temporary files.

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::engine {

/// PLACE/<id>, 0711, removed with everything in it by the destructor.
class Scratch {
 public:
  static Result<Scratch> make(const std::filesystem::path& place, const std::string& id);
  Scratch(Scratch&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  Scratch& operator=(Scratch&& other) noexcept;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace vmpatch::engine
