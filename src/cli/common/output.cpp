#include "cli/common/output.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// Characters, not bytes: continuation bytes of UTF-8 take no place.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::atomic<int> first_error{0};

using Row = std::vector<std::string>;

void widen(std::vector<std::size_t>& widths, const Row& row) {
  for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i) {
    for (const std::string_view line : split(row[i], '\n')) widths[i] = std::max(widths[i], width(line));
  }
}

std::string format_row(const Row& row, const std::vector<std::size_t>& widths) {
  std::string out;
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
  return out;
}

}  // namespace

void print_text(std::string_view text) {
  if (first_error != 0) return;
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (std::fflush(stdout) != 0 || !written) first_error = errno != 0 ? errno : EIO;
}

int output_error() { return first_error; }

void print_json(const Json& json) { print_text(dump_json(json, 2) + "\n"); }

std::string Table::format() const {
  std::string out;
  format_table(titles_, rows_.size(), [&](std::size_t i) { return rows_[i]; }, [&](std::string_view text) { out += text; });
  return out;
}

void format_table(const std::vector<std::string>& titles, std::size_t rows, const std::function<Row(std::size_t)>& make_row,
                  const std::function<void(std::string_view)>& sink) {
  std::vector<std::size_t> widths(titles.size(), 0);
  widen(widths, titles);
  for (std::size_t i = 0; i < rows; ++i) widen(widths, make_row(i));
  sink(format_row(titles, widths));
  for (std::size_t i = 0; i < rows; ++i) sink(format_row(make_row(i), widths));
}

}  // namespace vmpatch::cli
