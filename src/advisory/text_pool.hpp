#pragma once
// Each distinct text once: feeds repeat versions, releases and ids thousands of times.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vmpatch::advisory {

/// Number of a text; 0 is the empty one.
using Text = std::uint32_t;

class TextPool {
 public:
  TextPool() { intern(""); }

  Text intern(std::string_view text) {
    if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
    const auto number = static_cast<Text>(texts_.size());
    numbers_.emplace(texts_.emplace_back(text), number);
    return number;
  }
  [[nodiscard]] std::optional<Text> find(std::string_view text) const {
    const auto found = numbers_.find(text);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] const std::string& operator[](Text number) const { return texts_[number]; }

 private:
  std::deque<std::string> texts_;  // which never moves them
  std::unordered_map<std::string_view, Text> numbers_;
};

}  // namespace vmpatch::advisory
