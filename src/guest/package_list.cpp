#include "guest/package_list.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {

Result<void> PackageList::add(Package package) {
  if (packages_.size() == max_packages) return fail(Errc::failed, "more than {} packages", max_packages);
  for (const std::string* field : {&package.name, &package.version, &package.arch, &package.source, &package.source_version,
                                   &package.status, &package.module}) {
    bytes_ += field->size();
  }
  if (bytes_ > max_bytes) return fail(Errc::failed, "the names and versions of its packages have more than {}", format_size(max_bytes));
  packages_.push_back(std::move(package));
  return {};
}

}  // namespace vmpatch::guest
