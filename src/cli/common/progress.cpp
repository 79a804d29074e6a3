#include "cli/common/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using std::chrono::steady_clock;

std::string elapsed(steady_clock::time_point since) {
  return format_duration(std::chrono::duration_cast<Seconds>(steady_clock::now() - since));
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

}  // namespace

std::string format_bar(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return {};
  constexpr std::uint64_t width = 20;
  const auto share = std::min(done, total);
  const auto filled = static_cast<std::size_t>(share * width / total);
  return fmt::format("[{}{}] {:3}% of {}", std::string(filled, '#'), std::string(width - filled, '.'), share * 100 / total,
                     format_size(total));
}

ProgressDisplay::ProgressDisplay(const Context& context)
    : next_(context.log),
      live_(!context.options.quiet && ::isatty(STDERR_FILENO) == 1),
      quiet_(context.options.quiet) {
  if (live_) ticker_ = std::thread([this] { tick(); });
}

ProgressDisplay::~ProgressDisplay() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    if (live_) erase();
  }
  wake_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void ProgressDisplay::tick() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto drawn = attempt("draw", [&]() -> Result<void> {
      erase();
      draw();
      return {};
    });
    if (!drawn) return;  // what goes on is worth more than its picture
    wake_.wait_for(lock, std::chrono::milliseconds(500));
  }
}

ProgressDisplay::Line& ProgressDisplay::line_of(const inventory::Machine& machine) {
  auto [found, fresh] = lines_.try_emplace(machine.uuid);
  if (fresh) {
    found->second.name = escape_untrusted(machine.name);
    found->second.begun = steady_clock::now();
  }
  return found->second;
}

void ProgressDisplay::step(const inventory::Machine& machine, std::string_view text) {
  const std::scoped_lock lock(mutex_);
  auto& line = line_of(machine);
  line.text = text;
  line.done = line.total = 0;
  line.step_begun = steady_clock::now();
  if (live_) {
    erase();
    draw();
  } else if (!quiet_) {
    write_diagnostics(fmt::format("{}: {:>6}  {}\n", line.name, elapsed(line.begun), text));
  }
}

void ProgressDisplay::progress(const inventory::Machine& machine, std::uint64_t done, std::uint64_t total) {
  const std::scoped_lock lock(mutex_);
  auto& line = line_of(machine);
  line.done = done;
  line.total = total;
}

void ProgressDisplay::write(Level level, std::string_view line) {
  const std::scoped_lock lock(mutex_);
  if (live_) erase();
  next_.write(level, line);
  if (live_) draw();
}

void ProgressDisplay::finish(const inventory::Machine& machine, std::string_view text) {
  const std::scoped_lock lock(mutex_);
  const auto line = line_of(machine);
  lines_.erase(machine.uuid);
  if (live_) erase();
  if (!quiet_) write_diagnostics(fmt::format("{}: {:>6}  {}\n", line.name, elapsed(line.begun), text));
  if (live_) draw();
}

// Live lines stand at the end of the terminal: go up over them and clear downwards (ECMA-48 CUU, ED).
void ProgressDisplay::erase() {
  if (drawn_ > 0) write_diagnostics(fmt::format("\r\x1b[{}A\x1b[J", drawn_));
  drawn_ = 0;
}

void ProgressDisplay::draw() {
  const auto width = terminal_width() - 1;
  for (const auto& [uuid, line] : lines_) {
    auto text = fmt::format("{}: {:>6}  {} {}", line.name, elapsed(line.begun), line.text, format_bar(line.done, line.total));
    if (text.size() > width) text.resize(width);
    write_diagnostics(text + "\n");
    ++drawn_;
  }
}

}  // namespace vmpatch::cli
