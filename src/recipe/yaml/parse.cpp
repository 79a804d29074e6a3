#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <set>
#include <sstream>

#include "recipe/yaml/screen.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::size_t max_depth = 32;
constexpr std::string_view no_aliases = "aliases (*) are not allowed; write the value out";

/// Leaves yaml-cpp's parser, which knows no other way out of an event.
struct Refused {
  Error error;
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::shared_ptr<const YamlDocument> document, std::string_view text)
      : document_(std::move(document)), text_(text) {}

  [[nodiscard]] std::shared_ptr<const YamlNode::State> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) refuse(mark, "only one YAML document is allowed in a file; remove what follows");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_properties(mark, "?", anchor);
    add(mark, make(mark, YamlNode::Kind::null));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, no_aliases); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { refuse(mark, "anchors (&) are not allowed; write the value out"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_properties(mark, tag, anchor);
    // yaml-cpp 0.7 turns the escapes \N and \_ into single bytes above 0x7f.
    if (!is_utf8(value)) refuse(mark, "an escape in this text gives invalid UTF-8");
    auto node = make(mark, YamlNode::Kind::scalar);
    node->text = value;
    node->plain = tag == "?";
    add(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_properties(mark, tag, anchor);
    open(mark, make(mark, YamlNode::Kind::sequence));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_properties(mark, tag, anchor);
    open(mark, make(mark, YamlNode::Kind::mapping));
  }
  void OnMapEnd() override { close(); }

 private:
  using State = YamlNode::State;
  struct Open {
    std::shared_ptr<State> node;
    std::set<std::string> keys;
  };

  // A node without text of its own (an empty value at the end) is marked with position -1.
  static YamlPosition position_of(const YAML::Mark& mark) {
    return {mark.line < 0 ? 1 : mark.line + 1, mark.column < 0 ? 1 : mark.column + 1};
  }
  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view message) const {
    throw Refused{document_->error(position_of(mark), message)};
  }
  [[nodiscard]] std::shared_ptr<State> make(const YAML::Mark& mark, YamlNode::Kind kind) const {
    auto node = std::make_shared<State>();
    node->document = document_;
    node->position = position_of(mark);
    node->kind = kind;
    return node;
  }

  // yaml-cpp gives "?" for no tag and "!" for quotes, but also "!" for the tag "!": the text itself decides that.
  void check_properties(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) refuse(mark, "anchors (&) are not allowed; write the value out");
    const auto at = static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos);
    const bool written = at < text_.size() && text_[at] == '!';
    if (written || (!tag.empty() && tag != "?" && tag != "!")) refuse(mark, "tags (!) are not allowed; remove it");
  }

  void add(const YAML::Mark& mark, std::shared_ptr<const State> node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (parent.node->kind == YamlNode::Kind::mapping && parent.node->keys.size() == parent.node->items.size()) {
      add_key(mark, parent, *node);
      return;
    }
    parent.node->items.push_back(std::move(node));
  }

  void add_key(const YAML::Mark& mark, Open& parent, const State& node) const {
    if (node.kind != YamlNode::Kind::scalar) refuse(mark, "a key must be a plain text");
    if (node.plain && node.text == "<<") refuse(mark, "merge keys (<<) are not allowed; write the keys out");
    if (!parent.keys.insert(node.text).second) refuse(mark, "duplicate key '" + escape_untrusted(node.text) + "'; remove one of them");
    parent.node->keys.push_back({node.text, node.position});
  }

  void open(const YAML::Mark& mark, std::shared_ptr<State> node) {
    if (open_.size() >= max_depth) refuse(mark, "nested deeper than 32 levels");
    if (!open_.empty()) {
      const auto& parent = *open_.back().node;
      if (parent.kind == YamlNode::Kind::mapping && parent.keys.size() == parent.items.size())
        refuse(mark, "a key must be a plain text");
    }
    open_.push_back({std::move(node), {}});
  }

  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    if (open_.empty())
      root_ = std::move(node);
    else
      open_.back().node->items.push_back(std::move(node));
  }

  std::shared_ptr<const YamlDocument> document_;
  std::string_view text_;
  std::vector<Open> open_;
  std::shared_ptr<const State> root_;
};

}  // namespace

Result<YamlNode> parse_yaml(std::string_view text, std::string_view file_name, Errc code) {
  auto document = std::make_shared<const YamlDocument>(YamlDocument{std::string(file_name), code});
  if (const auto fault = screen_yaml(text)) return document->error(fault->position, fault->message);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(document, text);
    while (parser.HandleNextDocument(builder)) {
    }
    if (builder.root()) return YamlNode(builder.root());
    auto empty = std::make_shared<YamlNode::State>();
    empty->document = document;
    return YamlNode(std::move(empty));
  } catch (Refused& refused) {
    return std::move(refused.error);
  } catch (const YAML::Exception& problem) {
    const YamlPosition position{problem.mark.line < 0 ? 1 : problem.mark.line + 1,
                                problem.mark.column < 0 ? 1 : problem.mark.column + 1};
    // An alias whose anchor does not stand before it gives no event.
    if (problem.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR) return document->error(position, no_aliases);
    return document->error(position, "not valid YAML: " + escape_untrusted(problem.msg));
  } catch (const std::exception& problem) {
    return document->error({}, "not valid YAML: " + escape_untrusted(problem.what()));
  }
}

}  // namespace vmpatch::recipe
