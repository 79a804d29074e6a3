#pragma once
// Strict YAML: mappings, sequences and scalars only. Unknown or duplicate keys, aliases, anchors, merge keys, tags, a second
// document and values out of range are errors with file, line and column. Used for recipes, policy and trust files.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::recipe {

/// A position-aware node of a checked document. Cheap to copy (shares the document).
class YamlNode {
 public:
  enum class Kind { null, scalar, sequence, mapping };
  [[nodiscard]] Kind kind() const;
  /// "FILE:LINE:COLUMN".
  [[nodiscard]] std::string where() const;
  /// An error at this node: "FILE:LINE:COLUMN: message".
  [[nodiscard]] Error error(std::string_view message) const;

  [[nodiscard]] Result<std::string> text() const;       ///< any scalar as written (quotes removed)
  [[nodiscard]] Result<std::int64_t> integer(std::int64_t lowest, std::int64_t highest) const;
  [[nodiscard]] Result<bool> boolean() const;           ///< true | false only
  [[nodiscard]] Result<Time> time() const;              ///< core parse_time
  [[nodiscard]] Result<Seconds> duration() const;       ///< core parse_duration
  [[nodiscard]] Result<std::vector<YamlNode>> items() const;  ///< a sequence
  [[nodiscard]] Result<std::vector<std::string>> texts() const;  ///< a sequence of scalars

  struct State;
  explicit YamlNode(std::shared_ptr<const State> state);
  [[nodiscard]] const State& state() const { return *state_; }

 private:
  std::shared_ptr<const State> state_;
};

/// Reads a mapping key by key; finish() rejects whatever was not asked for (RAUC's way).
class YamlMapping {
 public:
  static Result<YamlMapping> of(const YamlNode& node);
  [[nodiscard]] std::optional<YamlNode> find(std::string_view key);
  [[nodiscard]] Result<YamlNode> require(std::string_view key);
  /// Every key in order, all counted as consumed (maps with free keys).
  [[nodiscard]] std::vector<std::pair<std::string, YamlNode>> entries();
  /// Position of a key, for errors.
  [[nodiscard]] const YamlNode& node() const { return node_; }
  /// Error at the first key that nobody asked for, with the known ones.
  [[nodiscard]] Result<void> finish() const;

 private:
  explicit YamlMapping(YamlNode node) : node_(std::move(node)) {}
  YamlNode node_;
  std::vector<std::string> asked_;
};

/// Parses one document of at most 4 MiB and depth 32. `code` is given to every error of the document
/// (Errc::untrusted for recipes, Errc::usage for configuration). An empty text is a null node.
Result<YamlNode> parse_yaml(std::string_view text, std::string_view file_name, Errc code);

}  // namespace vmpatch::recipe
