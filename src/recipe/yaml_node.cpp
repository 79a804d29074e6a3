#include <algorithm>
#include <charconv>

#include "recipe/yaml_state.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {

std::string YamlDocument::where(YamlPosition position) const {
  return fmt::format("{}:{}:{}", file, position.line, position.column);
}

Error YamlDocument::error(YamlPosition position, std::string_view message) const {
  return make_error(code, fmt::format("{}: {}", where(position), message));
}

YamlNode::YamlNode(std::shared_ptr<const State> state) : state_(std::move(state)) {}

YamlNode::Kind YamlNode::kind() const { return state_->kind; }
std::string YamlNode::where() const { return state_->document->where(state_->position); }
Error YamlNode::error(std::string_view message) const { return state_->document->error(state_->position, message); }

Result<std::string> YamlNode::text() const {
  if (state_->kind == Kind::scalar) return state_->text;
  if (state_->kind == Kind::null) return error("a value is missing here");
  return error("a single value was expected, not a list or mapping");
}

Result<std::int64_t> YamlNode::integer(std::int64_t lowest, std::int64_t highest) const {
  VMPATCH_TRY(const std::string digits, text());
  std::int64_t value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, value);
  const bool leading_zero = digits.size() > 1 && (digits[0] == '0' || digits.starts_with("-0"));
  if (!state_->plain || problem != std::errc{} || stop != end || leading_zero || value < lowest || value > highest)
    return error(fmt::format("a whole number from {} to {} was expected", lowest, highest));
  return value;
}

Result<bool> YamlNode::boolean() const {
  VMPATCH_TRY(const std::string word, text());
  if (state_->plain && word == "true") return true;
  if (state_->plain && word == "false") return false;
  return error("true or false was expected");
}

Result<Time> YamlNode::time() const {
  VMPATCH_TRY(const std::string written, text());
  const auto parsed = parse_time(written);
  if (!parsed) return error("a date was expected, as 2026-11-01 or 2026-11-01T10:20:30Z");
  return *parsed;
}

Result<Seconds> YamlNode::duration() const {
  VMPATCH_TRY(const std::string written, text());
  const auto parsed = parse_duration(written);
  if (!parsed) return error("a duration was expected, as 120s, 15m, 4h or 30d");
  return *parsed;
}

Result<std::vector<YamlNode>> YamlNode::items() const {
  if (state_->kind != Kind::sequence) return error("a list was expected");
  std::vector<YamlNode> nodes;
  nodes.reserve(state_->items.size());
  for (const auto& item : state_->items) nodes.emplace_back(item);
  return nodes;
}

Result<std::vector<std::string>> YamlNode::texts() const {
  VMPATCH_TRY(const auto nodes, items());
  std::vector<std::string> texts;
  texts.reserve(nodes.size());
  for (const auto& node : nodes) {
    VMPATCH_TRY(std::string item, node.text());
    texts.push_back(std::move(item));
  }
  return texts;
}

Result<YamlMapping> YamlMapping::of(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::mapping) return node.error("a mapping (key: value) was expected");
  return YamlMapping(node);
}

std::optional<YamlNode> YamlMapping::find(std::string_view key) {
  asked_.emplace_back(key);
  const auto& state = node_.state();
  for (std::size_t i = 0; i < state.keys.size(); ++i)
    if (state.keys[i].text == key) return YamlNode(state.items[i]);
  return std::nullopt;
}

Result<YamlNode> YamlMapping::require(std::string_view key) {
  auto found = find(key);
  if (!found) return node_.error(fmt::format("key '{}' is missing; add it", key));
  return *found;
}

std::vector<std::pair<std::string, YamlNode>> YamlMapping::entries() {
  std::vector<std::pair<std::string, YamlNode>> all;
  const auto& state = node_.state();
  for (std::size_t i = 0; i < state.keys.size(); ++i) {
    asked_.push_back(state.keys[i].text);
    all.emplace_back(state.keys[i].text, YamlNode(state.items[i]));
  }
  return all;
}

Result<void> YamlMapping::finish() const {
  const auto& state = node_.state();
  for (const auto& key : state.keys) {
    if (std::find(asked_.begin(), asked_.end(), key.text) != asked_.end()) continue;
    return state.document->error(key.position, fmt::format("unknown key '{}'; known here: {}",
                                                           escape_untrusted(key.text), fmt::join(asked_, ", ")));
  }
  return {};
}

}  // namespace vmpatch::recipe
