#include "guest/loader_entries.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "guest/version_order.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t max_labels = 10'000;

/// First word of a line and the rest, without blanks around.
std::pair<std::string_view, std::string_view> key_and_value(std::string_view line) {
  line = trim(line);
  const auto blank = line.find_first_of(" \t");
  if (blank == std::string_view::npos) return {line, {}};
  return {line.substr(0, blank), trim(line.substr(blank))};
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

/// "+3" and "+2-1": tries left and done.
bool is_boot_counter(std::string_view text) {
  return text.size() > 1 && text.front() == '+' && text.find_first_not_of("0123456789-", 1) == std::string_view::npos;
}

/// Where the boot counter of a name without ".conf" begins; npos = it has none.
std::size_t counter_at(std::string_view name) {
  const auto plus = name.rfind('+');
  return plus != std::string_view::npos && is_boot_counter(name.substr(plus)) ? plus : std::string_view::npos;
}

std::optional<unsigned> tries_left(std::string_view file_name) {
  const auto plus = counter_at(file_name.substr(0, file_name.rfind('.')));
  unsigned tries = 0;
  if (plus == std::string_view::npos) return std::nullopt;
  const std::string_view digits = file_name.substr(plus + 1);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), tries).ec != std::errc()) return std::nullopt;
  return tries;
}

struct Label {
  std::string name, kernel;
};

}  // namespace

std::string loader_entry_id(std::string_view file_name) {
  constexpr std::string_view ending = ".conf";
  if (!file_name.ends_with(ending)) return {};
  file_name.remove_suffix(ending.size());
  return std::string(file_name.substr(0, counter_at(file_name)));
}

LoaderEntry parse_loader_entry(std::string_view file_name, std::string_view text) {
  LoaderEntry entry;
  entry.file = file_name;
  entry.id = loader_entry_id(file_name);
  entry.tries_left = tries_left(file_name);
  for (const std::string_view line : split(text, '\n')) {
    const auto [key, value] = key_and_value(line);
    if (key == "title") entry.title = value;
    else if (key == "version") entry.version = value;
    else if (key == "sort-key") entry.sort_key = value;
    else if (key == "machine-id") entry.machine_id = value;
    else if (key == "linux") entry.kernel = value;
  }
  return entry;
}

void sort_for_grub(std::vector<LoaderEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const LoaderEntry& a, const LoaderEntry& b) {
    const int order = compare_boot_versions(a.id, b.id);
    return order != 0 ? order > 0 : a.id > b.id;
  });
}

void sort_for_systemd_boot(std::vector<LoaderEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const LoaderEntry& a, const LoaderEntry& b) {
    if ((a.tries_left == 0U) != (b.tries_left == 0U)) return b.tries_left == 0U;
    if (a.sort_key.empty() != b.sort_key.empty()) return b.sort_key.empty();
    if (!a.sort_key.empty()) {
      const auto key = [](const LoaderEntry& entry) { return std::tie(entry.sort_key, entry.machine_id); };
      if (key(a) != key(b)) return key(a) < key(b);
      const int by_version = compare_boot_versions(a.version, b.version);
      if (by_version != 0) return by_version > 0;
    }
    const int by_name = compare_boot_versions(a.id, b.id);
    return by_name != 0 ? by_name > 0 : a.id > b.id;
  });
}

std::string loader_default(std::string_view loader_conf) {
  std::string pattern;
  for (const std::string_view line : split(loader_conf, '\n')) {
    const auto [key, value] = key_and_value(line);
    if (key == "default") pattern = value;
  }
  return pattern;
}

std::string extlinux_kernel(std::string_view config) {
  std::vector<Label> labels;
  std::string chosen;
  std::string on_timeout;
  std::string menu_default;
  for (const std::string_view line : split(config, '\n')) {
    const auto [word, value] = key_and_value(line);
    const std::string key = upper(word);
    if (key == "LABEL" && labels.size() < max_labels) labels.push_back({std::string(value), {}});
    else if (key == "DEFAULT") chosen = value;
    else if (key == "ONTIMEOUT") on_timeout = value;
    else if (key == "MENU" && upper(value) == "DEFAULT" && !labels.empty()) menu_default = labels.back().name;
    else if ((key == "LINUX" || key == "KERNEL") && !labels.empty()) labels.back().kernel = value;
  }
  // DEFAULT may name a menu (menu.c32, vesamenu.c32); the menu then has a default of its own.
  for (const std::string& name : {chosen, on_timeout, menu_default}) {
    const auto found = std::find_if(labels.begin(), labels.end(), [&](const Label& label) { return !name.empty() && label.name == name; });
    if (found != labels.end()) return found->kernel;
  }
  return {};
}

}  // namespace vmpatch::guest
