// Any bytes as the record of a suite: an error, or exactly what is written again.
#include "repository_target.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/repository/snapshot.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  const auto json = parse_json(repository::fuzz::text_of(data, size), "record");
  if (!json) return 0;
  const auto suite = repository::suite_from_json(*json);
  if (!suite) {
    repository::fuzz::require(suite.error().code == Errc::failed);
    return 0;
  }
  repository::fuzz::require(dump_json(repository::to_json(*suite)) == dump_json(*json));
  repository::fuzz::require(repository::suite_from_json(repository::to_json(*suite)) == *suite);
  return 0;
}
