// Any bytes as Debian's tracker: an error or statements that matching can use.
#include "advisory/debian_tracker.hpp"

#include "advisory_feed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch::advisory;
  return fuzz::run(data, size, [](std::string_view text, Intake& intake) {
    MemorySource source(text);
    static_cast<void>(load_debian_tracker(source, intake).has_value());
  });
}
