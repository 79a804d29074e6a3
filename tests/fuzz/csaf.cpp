// Any bytes as a CSAF document: an error or statements that matching can use.
#include "advisory/csaf.hpp"

#include "advisory_feed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch::advisory;
  return fuzz::run(data, size, [](std::string_view text, Intake& intake) {
    static_cast<void>(load_csaf(text, intake).has_value());
  });
}
