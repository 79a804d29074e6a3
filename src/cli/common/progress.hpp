#pragma once
// Progress of runs side by side: on a terminal a live line a machine, elsewhere one line a step.

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/reading/environment.hpp"

namespace vmpatch::cli {

/// Also a Log: lines of others are printed above the live ones.
class ProgressDisplay final : public reading::Observer, public Log {
 public:
  /// Writes to stderr. `live` = stderr is a terminal and output is not quiet.
  explicit ProgressDisplay(const Context& context);
  ~ProgressDisplay() override;
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void step(const inventory::Machine& machine, std::string_view text) override;
  void progress(const inventory::Machine& machine, std::uint64_t done, std::uint64_t total) override;
  void write(Level level, std::string_view line) override;
  /// The machine's last word; its live line becomes a plain one.
  void finish(const inventory::Machine& machine, std::string_view text);

 private:
  struct Line {
    std::string name, text;
    std::chrono::steady_clock::time_point begun, step_begun;
    std::uint64_t done = 0, total = 0;
  };
  Line& line_of(const inventory::Machine& machine);
  void erase();
  void draw();
  void tick();

  Log& next_;
  bool live_;
  bool quiet_;
  std::mutex mutex_;
  std::map<std::string, Line> lines_;
  std::size_t drawn_ = 0;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread ticker_;
};

/// "[#####.....] 45% 12.0 MiB"; empty when the total is not known.
std::string format_bar(std::uint64_t done, std::uint64_t total);

}  // namespace vmpatch::cli
