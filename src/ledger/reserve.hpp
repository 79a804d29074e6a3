#pragma once
// Room for the ledger's last words. On a full disk a run could neither be ended nor recovered, for both write a row before they make
// room: so some room is held by a file beside the ledger, LEDGER.reserve, and given up when it is needed.

#include <filesystem>

namespace vmpatch::ledger {

class Reserve {
 public:
  explicit Reserve(const std::filesystem::path& ledger);
  /// Before each write. The file is given up where less than 2 MiB are free, and made where 64 MiB are. A file that cannot be made is
  /// none: nothing fails for want of it.
  void look() const;

 private:
  std::filesystem::path file_;
};

}  // namespace vmpatch::ledger
