#include "guest/grub.hpp"

#include <algorithm>
#include <charconv>

#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t max_entries = 10'000;
constexpr std::size_t max_depth = 8;
constexpr std::size_t max_blocks = 64;

/// Words of a line as a shell sees them; variables stay as they are written. '{' and '}' and ';' end a command.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  /// The next command; `end` says by what it ended: '\n', ';', '{', '}' or 0.
  std::vector<std::string> next(char& end) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    const auto finish = [&] {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    };
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '#' && !in_word) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '\n' || c == ';' || (c == '{' && !in_word) || (c == '}' && !in_word)) {
        finish();
        end = c;
        return words;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        finish();
      } else {
        in_word = true;
        add(word, c);
      }
    }
    finish();
    end = '\0';
    return words;
  }
  [[nodiscard]] bool done() const { return at_ >= text_.size(); }

 private:
  void add(std::string& word, char c) {
    if (c == '\\' && at_ < text_.size()) {
      if (text_[at_] != '\n') word += text_[at_];
      ++at_;
    } else if (c == '\'') {
      const auto close = std::min(text_.find('\'', at_), text_.size());
      word += text_.substr(at_, close - at_);
      at_ = std::min(close + 1, text_.size());
    } else if (c == '"') {
      while (at_ < text_.size() && text_[at_] != '"') {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        word += text_[at_++];
      }
      if (at_ < text_.size()) ++at_;
    } else if (c == '$' && at_ < text_.size() && text_[at_] == '{') {
      const auto close = text_.find('}', at_);
      const auto length = (close == std::string_view::npos ? text_.size() : close + 1) - at_;
      word += c;
      word += text_.substr(at_, length);
      at_ += length;
    } else {
      word += c;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

GrubEntry make_entry(const std::vector<std::string>& words) {
  GrubEntry entry;
  if (words.size() > 1) entry.title = words[1];
  for (std::size_t i = 2; i + 1 < words.size(); ++i) {
    if (words[i] == "--id" || words[i] == "$menuentry_id_option" || words[i] == "${menuentry_id_option}") entry.id = words[i + 1];
  }
  return entry;
}

void set_default(GrubConfig& config, std::string_view value) {
  if (value == "${next_entry}" || value == "$next_entry") {
    config.one_time = true;
  } else {
    config.chosen = value == "$saved_entry" ? "${saved_entry}" : std::string(value);
  }
}

struct Block {
  enum class Kind { menu, entry, other } kind = Kind::other;
  GrubEntry entry;
};

class Parser {
 public:
  GrubConfig parse(std::string_view text) {
    Words words(text);
    while (!words.done()) {
      char end = '\0';
      auto command = words.next(end);
      if (!command.empty() && (command[0] == "then" || command[0] == "else")) command.erase(command.begin());
      if (end == '{') {
        open(command);
        continue;
      }
      if (!command.empty()) run(command);
      if (end == '}' && !blocks_.empty()) close();
    }
    deeper_ = 0;
    while (!blocks_.empty()) close();
    return std::move(config_);
  }

 private:
  void open(const std::vector<std::string>& command) {
    Block block;
    const std::string_view name = command.empty() ? std::string_view() : std::string_view(command[0]);
    if (name == "menuentry") block = {Block::Kind::entry, make_entry(command)};
    if (name == "submenu") block = {Block::Kind::menu, make_entry(command)};
    block.entry.conditional = conditions_ > 0;
    if (blocks_.size() == max_blocks) {
      ++deeper_;
    } else {
      blocks_.push_back(std::move(block));
    }
  }
  void close() {
    if (deeper_ > 0) {
      --deeper_;
      return;
    }
    Block block = std::move(blocks_.back());
    blocks_.pop_back();
    if (block.kind == Block::Kind::other || count_ == max_entries) return;
    ++count_;
    menu().push_back(std::move(block.entry));
  }
  /// The innermost one that is open.
  std::vector<GrubEntry>& menu() {
    const auto open = std::find_if(blocks_.rbegin(), blocks_.rend(), [](const Block& b) { return b.kind == Block::Kind::menu; });
    return open == blocks_.rend() ? config_.entries : open->entry.submenu;
  }
  void run(const std::vector<std::string>& command) {
    const std::string& name = command[0];
    if (name == "if") ++conditions_;
    if (name == "fi" && conditions_ > 0) --conditions_;
    const auto entry = std::find_if(blocks_.rbegin(), blocks_.rend(), [](const Block& b) { return b.kind == Block::Kind::entry; });
    if (entry != blocks_.rend()) {
      if ((name == "linux" || name == "linux16" || name == "linuxefi") && command.size() > 1) entry->entry.kernel = command[1];
    } else if (name == "set" && command.size() > 1 && command[1].starts_with("default=")) {
      set_default(config_, std::string_view(command[1]).substr(8));
    } else if (name == "blscfg" && !config_.loader_entries) {
      config_.loader_entries = true;
      GrubEntry place;
      place.is_blscfg = true;
      menu().push_back(std::move(place));
    }
  }

  GrubConfig config_;
  std::vector<Block> blocks_;
  std::size_t deeper_ = 0;  // open blocks that are not kept
  std::size_t conditions_ = 0;  // "if" without its "fi"
  std::size_t count_ = 0;
};

/// The part before the first single '>', with ">>" as '>'; `rest` is what follows it.
std::string take_step(std::string_view& rest) {
  std::string step;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '>' && !rest.starts_with('>')) return step;
    if (c == '>') rest.remove_prefix(1);
    step += c;
  }
  return step;
}

const GrubEntry* pick(const std::vector<GrubEntry>& menu, const std::string& step, bool with_conditional) {
  std::vector<const GrubEntry*> entries;
  for (const GrubEntry& entry : menu) {
    if (!entry.is_blscfg && (with_conditional || !entry.conditional)) entries.push_back(&entry);
  }
  if (entries.empty()) return nullptr;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), number);
  if (error == std::errc() && end == step.data() + step.size()) return number < entries.size() ? entries[number] : entries[0];
  if (step.empty()) return entries[0];
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const GrubEntry* e) { return e->id == step || e->title == step; });
  return found == entries.end() ? entries[0] : *found;
}

const GrubEntry* follow(const GrubConfig& config, std::string_view choice, bool with_conditional) {
  const std::vector<GrubEntry>* menu = &config.entries;
  for (std::size_t depth = 0; depth <= max_depth; ++depth) {
    const GrubEntry* entry = pick(*menu, take_step(choice), with_conditional);
    if (entry == nullptr || entry->submenu.empty()) return entry;
    menu = &entry->submenu;
  }
  return nullptr;
}

bool starts_a_kernel(const GrubEntry* entry) { return entry != nullptr && !entry->kernel.empty(); }

/// True when it was put somewhere.
bool replace_blscfg(std::vector<GrubEntry>& menu, std::vector<GrubEntry>& entries) {
  for (auto at = menu.begin(); at != menu.end(); ++at) {
    if (at->is_blscfg) {
      at = menu.erase(at);
      menu.insert(at, std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
      return true;
    }
    if (replace_blscfg(at->submenu, entries)) return true;
  }
  return false;
}

}  // namespace

GrubConfig parse_grub_config(std::string_view text) { return Parser().parse(text); }

std::map<std::string, std::string> parse_grub_environment(std::string_view text) {
  std::map<std::string, std::string> values;
  for (const std::string_view line : split(text.substr(0, 64U << 10U), '\n')) {
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    values[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  return values;
}

std::string grub_choice(const GrubConfig& config, const std::map<std::string, std::string>& environment) {
  const auto value = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  if (config.one_time && !value("next_entry").empty()) return value("next_entry");
  return config.chosen == "${saved_entry}" ? value("saved_entry") : config.chosen;
}

void add_loader_entries(GrubConfig& config, std::vector<GrubEntry> entries) { replace_blscfg(config.entries, entries); }

const GrubEntry* find_grub_entry(const GrubConfig& config, std::string_view choice) {
  const GrubEntry* with = follow(config, choice, true);
  const GrubEntry* without = follow(config, choice, false);
  const bool named = !choice.empty() && with != nullptr && (with->id == choice || with->title == choice);
  if (named || !starts_a_kernel(without)) return with;
  if (!starts_a_kernel(with)) return without;
  return with == without || with->kernel == without->kernel ? with : nullptr;
}

}  // namespace vmpatch::guest
