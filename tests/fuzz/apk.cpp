// apk's installed database and version order: no crash, usable packages, and an order that is one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guest/apk.hpp"
#include "guest/version_orders.hpp"

namespace {

using namespace vmpatch::guest;

void require(bool holds) {
  if (!holds) std::abort();
}

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto found = parse_apk_installed(text);
  if (!found) {
    require(found.error().message.starts_with("line "));
  } else {
    require(found->broken.size() <= found->packages.size());
    for (const Package& package : found->packages) {
      require(!package.name.empty() && package.name.find_first_of(" \t/\n") == std::string::npos);
      require(package.installed() && !package.version.empty() && !package.source.empty());
      require(compare_apk_versions(package.version, package.version) == 0);
    }
  }
  const std::string_view a = text.substr(0, size / 2);
  const std::string_view b = text.substr(size / 2);
  require(sign(compare_apk_versions(a, b)) == -sign(compare_apk_versions(b, a)));
  return 0;
}
