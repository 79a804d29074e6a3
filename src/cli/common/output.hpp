#pragma once
// Results on standard output: text, tables for people, JSON for programs. Diagnostics never come here.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::cli {

void print_text(std::string_view text);
/// errno of the first time that standard output did not take a text; what came later was dropped. 0 = all was written.
int output_error();
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

/// The same for a table of which the rows are too many to be kept as text: each is made twice, and lines go out one by one.
void format_table(const std::vector<std::string>& titles, std::size_t rows,
                  const std::function<std::vector<std::string>(std::size_t)>& make_row,
                  const std::function<void(std::string_view)>& sink);

}  // namespace vmpatch::cli
