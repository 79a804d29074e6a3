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

using Row = std::vector<std::string>;

void widen(std::vector<std::size_t>& widths, const Row& row) {
  for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i) {
    for (const std::string_view line : split(row[i], '\n')) widths[i] = std::max(widths[i], width(line));
  }
}

void append_row(std::string& out, const Row& row, const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string_view>> cells(widths.size());
  std::size_t height = 1;
  for (std::size_t i = 0; i < std::min(row.size(), cells.size()); ++i) {
    cells[i] = split(row[i], '\n');
    height = std::max(height, cells[i].size());
  }
  for (std::size_t line = 0; line < height; ++line) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string_view part = line < cells[i].size() ? cells[i][line] : std::string_view{};
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
  std::vector<std::size_t> widths(titles_.size(), 0);
  widen(widths, titles_);
  for (const Row& row : rows_) widen(widths, row);
  std::string out;
  append_row(out, titles_, widths);
  for (const Row& row : rows_) append_row(out, row, widths);
  return out;
}

}  // namespace vmpatch::cli
