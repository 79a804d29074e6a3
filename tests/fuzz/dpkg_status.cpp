// dpkg status and apt's extended_states: no crash, and every package that comes back is one that the rest may rely on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guest/dpkg.hpp"

namespace {

using namespace vmpatch::guest;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const vmpatch::Result<std::vector<Package>>& packages) {
  if (!packages) return require(packages.error().message.starts_with("line "));
  for (const Package& package : *packages) {
    require(!package.name.empty() && package.name.find_first_of(" \t/\n") == std::string::npos);
    require(!package.installed() || !package.version.empty());
    require(package.status.find('\n') == std::string::npos && package.source.size() <= max_package_field);
  }
  require(half_configured_packages(*packages).size() <= packages->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(parse_dpkg_status(text));
  PackageList list;
  const auto read = parse_dpkg_stanzas(text, installed_status, list);
  vmpatch::Result<std::vector<Package>> packages = list.take();
  if (!read) packages = read.error();
  check(packages);
  if (packages) {
    const auto marked = mark_automatic(text, *packages);
    require(marked || marked.error().message.starts_with("line "));
  }
  return 0;
}
