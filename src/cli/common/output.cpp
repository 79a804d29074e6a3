#include "cli/common/output.hpp"

#include <algorithm>
#include <cstdio>

#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// Characters, not bytes: continuation bytes of UTF-8 take no place.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

using Row = std::vector<std::vector<std::string_view>>;  // cell, line

Row split_cells(const std::vector<std::string>& cells, std::size_t columns) {
  Row row;
  for (std::size_t i = 0; i < columns; ++i) {
    row.push_back(i < cells.size() ? split(cells[i], '\n') : std::vector<std::string_view>{{}});
  }
  return row;
}

void append_row(std::string& out, const Row& row, const std::vector<std::size_t>& widths) {
  std::size_t height = 1;
  for (const auto& cell : row) height = std::max(height, cell.size());
  for (std::size_t line = 0; line < height; ++line) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string_view part = line < row[i].size() ? row[i][line] : std::string_view{};
      text += part;
      text.append(widths[i] + 2 - width(part), ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
}

}  // namespace

void print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const Json& json) { print_text(dump_json(json, 2) + "\n"); }

std::string Table::format() const {
  std::vector<Row> rows{split_cells(titles_, titles_.size())};
  for (const auto& cells : rows_) rows.push_back(split_cells(cells, titles_.size()));
  std::vector<std::size_t> widths(titles_.size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (const std::string_view line : row[i]) widths[i] = std::max(widths[i], width(line));
    }
  }
  std::string out;
  for (const Row& row : rows) append_row(out, row, widths);
  return out;
}

}  // namespace vmpatch::cli
