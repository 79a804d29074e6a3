// One desc of pacman's local database, and its version order: no crash, a usable package, and an order that is one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guest/pacman.hpp"
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
  const auto package = parse_pacman_desc(text);
  if (!package) {
    require(!package.error().message.empty());
  } else {
    require(!package->name.empty() && package->name.find_first_of(" \t/\n") == std::string::npos);
    require(package->installed() && !package->version.empty() && package->version.find('\n') == std::string::npos);
    require(compare_alpm_versions(package->version, package->version) == 0);
  }
  const std::string_view a = text.substr(0, size / 2);
  const std::string_view b = text.substr(size / 2);
  require(sign(compare_alpm_versions(a, b)) == -sign(compare_alpm_versions(b, a)));
  return 0;
}
