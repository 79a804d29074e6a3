#pragma once

#include <string>
#include <string_view>

namespace vmpatch::guest {

/// What of the mount table is not mounted, for people: the first few, and how many more.
class MountNotes {
 public:
  /// `why` is escaped already; both are cut where they are long.
  void add(std::string_view where, std::string_view why);
  /// "; not mounted: /srv (why), /mnt (why)", or nothing.
  [[nodiscard]] std::string text() const;

 private:
  std::string text_;
  std::size_t count_ = 0;
};

}  // namespace vmpatch::guest
