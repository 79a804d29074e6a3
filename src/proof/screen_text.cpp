#include "proof/screen_text.hpp"

namespace vmpatch::proof {
namespace {

/// CUP, HVP, CUU to CPL, CHA, VPA and ED of ECMA-48: what follows stands elsewhere.
bool moves(char final_byte) { return final_byte == 'd' || final_byte == 'f' || (final_byte >= 'A' && final_byte <= 'J' && final_byte != 'C'); }

}  // namespace

void ScreenText::end_line() {
  returned_ = false;
  if (line_.empty()) return;
  const std::string whole = std::move(line_);
  line_.clear();
  take_line_(whole);
}

void ScreenText::feed_text(char byte) {
  if (byte == '\x1b') {
    state_ = State::escape;
    return;
  }
  if (byte == '\n') return end_line();
  if (byte == '\r') {
    returned_ = true;
    return;
  }
  if (byte == '\0' || byte == '\b' || byte == '\a') return;
  // Written over: two lines for those who read them.
  if (returned_ || line_.size() >= longest_line) end_line();
  line_ += byte;
  if (byte == ' ') take_blank_(line_);
}

void ScreenText::feed(std::string_view bytes) {
  for (const char byte : bytes) {
    switch (state_) {
      case State::text: feed_text(byte); break;
      case State::escape:
        state_ = byte == '[' ? State::command : (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') ? State::string : State::text;
        if (byte == '(' || byte == ')') state_ = State::character_set;
        break;
      case State::character_set: state_ = State::text; break;
      case State::command:
        if (byte < '@' && byte != '\n') break;  // parameters
        state_ = State::text;
        if (moves(byte) || byte == '\n') end_line();
        break;
      case State::string:
        if (byte == '\a' || byte == '\n') state_ = State::text;
        if (byte == '\x1b') state_ = State::string_escape;
        break;
      case State::string_escape: state_ = State::text; break;
    }
  }
}

}  // namespace vmpatch::proof
