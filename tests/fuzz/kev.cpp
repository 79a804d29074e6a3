// Any bytes as CISA's catalogue: an error or statements that matching can use.
#include "advisory/kev.hpp"

#include "advisory_feed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch::advisory;
  return fuzz::run(data, size, [](std::string_view text, Intake& intake) {
    MemorySource source(text);
    static_cast<void>(load_kev(source, intake).has_value());
  });
}
