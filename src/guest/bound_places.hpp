#pragma once
// Which mounts may lie beside a bind mount. What is mounted below either end of one is seen at both ends where mounts are shared (as systemd
// has it), and at one end where they are not: nobody can tell before the guest runs.

#include <string>
#include <vector>

namespace vmpatch::guest {

/// All paths are real ones: clean, without links.
class BoundPlaces {
 public:
  /// A mount of a file system at `where`.
  [[nodiscard]] bool allows(const std::string& where) const;
  [[nodiscard]] bool allows_bind(const std::string& from, const std::string& where) const;
  void add(std::string where) { mounts_.push_back(std::move(where)); }
  void add_bind(std::string from, std::string where) { binds_.push_back({std::move(from), std::move(where)}); }
  /// Where else that is seen which lies at `where`, if mounts are shared.
  [[nodiscard]] std::vector<std::string> elsewhere(const std::string& where) const;

 private:
  struct Bind {
    std::string from;
    std::string where;
  };
  std::vector<std::string> mounts_;
  std::vector<Bind> binds_;
};

}  // namespace vmpatch::guest
