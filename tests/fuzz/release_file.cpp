// Any bytes as a Release file: an untrusted one with its line, or files below the suite, real dates and names that JSON keeps.
#include "repository/debian/release.hpp"

#include "repository_target.hpp"
#include "vmpatch/core/json.hpp"

namespace {

using namespace vmpatch;
using repository::fuzz::require;

void check(const repository::debian::Release& release) {
  const auto first = parse_time("1990-01-01"), last = parse_time("2201-01-02");
  require(first && last && release.date >= *first && release.date < *last);
  require(!release.valid_until || (*release.valid_until >= *first && *release.valid_until < *last));
  require(!release.files.empty() && release.files.size() <= 200'000);
  for (const auto& [path, entry] : release.files) {
    require(!path.empty() && path.front() != '/' && path.find("//") == std::string::npos);
    require(("/" + path + "/").find("/../") == std::string::npos && ("/" + path + "/").find("/./") == std::string::npos);
    require(std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7F; }));
  }
  for (const std::string& name : {release.origin, release.label, release.suite, release.codename, release.version}) {
    const auto back = parse_json(dump_json(Json(name)), "name");
    require(back && *back == name);
    require(name.find('\n') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = repository::fuzz::text_of(data, size);
  if (const auto release = repository::debian::parse_release(text)) {
    check(*release);
  } else {
    repository::fuzz::require_error(release.error(), Errc::untrusted);
  }
  if (const auto date = repository::debian::parse_release_date(text); !date) repository::fuzz::require_error(date.error(), Errc::untrusted);
  return 0;
}
