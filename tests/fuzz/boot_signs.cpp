// Any bytes from a machine that is started once: its console and its guest agent. Pieces do not matter, and what is shown is safe.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proof/agent.hpp"
#include "proof/evidence.hpp"
#include "proof/machine.hpp"
#include "proof/screen_text.hpp"
#include "proof/signs.hpp"
#include "vmpatch/core/text.hpp"

namespace {

using namespace vmpatch::proof;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> watch(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> seen;
  Evidence evidence;
  const auto take = [&](const Reading& reading) {
    const bool has_reason = reading.meaning == Meaning::failed || reading.meaning == Meaning::hint;
    require(reading.reason.empty() || has_reason);
    require(reading.reason.find('\n') == std::string::npos && reading.reason == vmpatch::ensure_escaped(reading.reason));
    seen.push_back(std::to_string(static_cast<int>(reading.meaning)) + reading.reason);
  };
  ScreenText text(
      [&](std::string_view line) {
        require(!line.empty() && line.size() <= ScreenText::longest_line && line.find('\x1b') == std::string_view::npos);
        evidence.add(line);
        take(read_line(line));
      },
      [&](std::string_view line) {
        require(line.ends_with(' '));
        take(read_prompt(line));
      });
  for (std::size_t at = 0; at < bytes.size(); at += piece) text.feed(bytes.substr(at, piece));
  require(text.rest().size() <= ScreenText::longest_line);
  require(evidence.text().size() <= 2 * (Evidence::most_first + Evidence::most_last));
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  require(watch(bytes, bytes.size() + 1) == watch(bytes, 1));
  AgentTalk talk(7);
  if (talk.feed(bytes)) require(bytes.find("return") != std::string_view::npos || bytes.find('\\') != std::string_view::npos);
  for (const auto& name : machine_names(bytes)) require(!name.empty() && name.find(' ') == std::string::npos && name.find('\n') == std::string::npos);
  return 0;
}
