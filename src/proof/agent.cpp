#include "proof/agent.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::proof {
namespace {

constexpr char delimiter = '\xFF';

}  // namespace

std::string AgentTalk::question() const {
  return delimiter + dump_json(Json{{"execute", "guest-sync-delimited"}, {"arguments", {{"id", id_}}}}) + "\n";
}

bool AgentTalk::is_answer(std::string_view line) const {
  const auto json = parse_json(line, "the guest agent's answer");
  if (!json || !json->is_object() || json->size() != 1) return false;
  const auto value = json->find("return");
  return value != json->end() && value->is_number_unsigned() && value->get<std::uint64_t>() == id_;
}

bool AgentTalk::feed(std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == delimiter) {
      line_.clear();
      overlong_ = false;
    } else if (byte == '\n') {
      if (!overlong_ && is_answer(line_)) return true;
      line_.clear();
      overlong_ = false;
    } else if (line_.size() < longest_answer) {
      line_ += byte;
    } else {
      overlong_ = true;
    }
  }
  return false;
}

}  // namespace vmpatch::proof
