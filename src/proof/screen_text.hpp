#pragma once
// Lines of text out of what a guest writes to its serial console: hostile bytes with the commands of terminals (ECMA-48) between them.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace vmpatch::proof {

class ScreenText {
 public:
  static constexpr std::size_t longest_line = 1024;  ///< bytes; a longer one becomes several

  /// `line` gets each line without its end, `blank` the line so far whenever it ends in a blank: prompts have no end. Commands of terminals
  /// are left out; one that moves the cursor elsewhere ends the line.
  using Take = std::function<void(std::string_view)>;
  ScreenText(Take line, Take blank) : take_line_(std::move(line)), take_blank_(std::move(blank)) {}

  void feed(std::string_view bytes);
  /// The line that has no end yet.
  [[nodiscard]] const std::string& rest() const { return line_; }

 private:
  enum class State { text, escape, command, character_set, string, string_escape };
  void feed_text(char byte);
  void end_line();

  Take take_line_, take_blank_;
  State state_ = State::text;
  bool returned_ = false;  ///< a carriage return came, and what follows decides what it was
  std::string line_;
};

}  // namespace vmpatch::proof
