#pragma once
// What a YamlNode shares: built by yaml/parse.cpp, read by yaml_node.cpp.

#include "vmpatch/recipe/strict_yaml.hpp"

namespace vmpatch::recipe {

struct YamlPosition {
  int line = 1;  ///< from 1
  int column = 1;
};

struct YamlDocument {
  std::string file;
  Errc code = Errc::failed;

  [[nodiscard]] std::string where(YamlPosition position) const;
  [[nodiscard]] Error error(YamlPosition position, std::string_view message) const;
};

struct YamlNode::State {
  struct Key {
    std::string text;
    YamlPosition position;
  };
  std::shared_ptr<const YamlDocument> document;
  YamlPosition position;
  Kind kind = Kind::null;
  std::string text;                                 ///< scalar
  bool plain = false;                               ///< scalar without quotes
  std::vector<Key> keys;                            ///< mapping
  std::vector<std::shared_ptr<const State>> items;  ///< sequence, or the values of `keys`
};

}  // namespace vmpatch::recipe
