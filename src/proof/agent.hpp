#pragma once
// The QEMU guest agent, asked only whether it is there. Source: QEMU docs/interop/qemu-ga.rst, qga/qapi-schema.json (guest-sync-delimited).

#include <cstdint>
#include <string>
#include <string_view>

namespace vmpatch::proof {

class AgentTalk {
 public:
  static constexpr std::size_t longest_answer = 64U << 10U;  ///< bytes
  explicit AgentTalk(std::uint64_t id) : id_(id) {}

  /// What is sent: a byte that no JSON has, which makes the agent forget half a message, and the question.
  [[nodiscard]] std::string question() const;
  /// True once an answer to it has come. What is too long or no answer is passed over.
  bool feed(std::string_view bytes);

 private:
  [[nodiscard]] bool is_answer(std::string_view line) const;
  std::uint64_t id_;
  std::string line_;
  bool overlong_ = false;
};

}  // namespace vmpatch::proof
