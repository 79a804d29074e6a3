#pragma once
// Results on standard output: text, tables for people, JSON for programs. Diagnostics never come here.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {

void print_text(std::string_view text);
/// Indented by two, with a newline.
void print_json(const Json& json);

/// Columns that are as wide as their widest cell. Cells are shown as they are: escape hostile text before.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}
  /// A cell with newlines takes several lines. Missing cells are empty.
  void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string format() const;

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace vmpatch::cli
