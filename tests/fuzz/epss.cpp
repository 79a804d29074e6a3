// Any bytes as EPSS scores: an error or statements that matching can use.
#include "advisory/epss.hpp"

#include "advisory_feed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch::advisory;
  return fuzz::run(data, size, [](std::string_view text, Intake& intake) {
    MemorySource source(text);
    static_cast<void>(load_epss(source, intake).has_value());
  });
}
