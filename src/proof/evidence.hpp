#pragma once
// What a console has written, kept within bounds: its beginning and its end.

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::proof {

class Evidence {
 public:
  static constexpr std::size_t most_first = 256U << 10U, most_last = 768U << 10U;  ///< bytes

  /// A line as the guest wrote it; it is escaped here.
  void add(std::string_view line);
  /// All of it; where something is left out in the middle, a line says how much.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string last_line() const;  ///< escaped; "" when it was silent
  /// A new file, 0600.
  Result<void> write(const std::filesystem::path& path) const;

 private:
  std::string first_;
  std::deque<std::string> last_;
  std::size_t last_size_ = 0;
  std::size_t left_out_ = 0;  ///< lines
  std::string newest_;
};

}  // namespace vmpatch::proof
