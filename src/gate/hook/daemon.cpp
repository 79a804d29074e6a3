#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gate/hook/arguments.hpp"
#include "gate/hook/run_files.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::gate {
namespace {

constexpr int most_generations = 8;
constexpr std::array<std::string_view, 2> daemons{"libvirtd", "virtqemud"};

struct Process {
  std::string name;
  int parent = 0;
  std::string start;  ///< clock ticks since boot
};

/// proc(5): "PID (NAME) STATE PPID …", where NAME may hold anything; the start time is field 22.
std::optional<Process> load_process(int pid) {
  const auto text = read_run_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return {};
  const auto open = text->find('(');
  const auto close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open || close + 2 > text->size()) return {};
  const auto fields = split(std::string_view(*text).substr(close + 2), ' ');
  if (fields.size() < 20) return {};
  Process process{text->substr(open + 1, close - open - 1), 0, std::string(fields[19])};
  std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), process.parent);
  return process;
}

}  // namespace

std::string calling_daemon() {
  int pid = ::getppid();
  for (int i = 0; i < most_generations && pid > 1; ++i) {
    const auto process = load_process(pid);
    if (!process) return {};
    if (std::ranges::find(daemons, process->name) != daemons.end()) return fmt::format("{} {}", pid, process->start);
    pid = process->parent;
  }
  return {};
}

}  // namespace vmpatch::gate
