#include "inventory/xml/pool.hpp"

#include "inventory/xml/document.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::xml {

Result<std::filesystem::path> parse_pool_folder(std::string_view bytes, std::string_view pool) {
  const std::string what = "XML of storage pool " + escape_untrusted(pool);
  VMPATCH_TRY(const auto document, parse_document(bytes, what, "pool"));
  const std::string path = text(child(child(xmlDocGetRootElement(document.get()), "target"), "path"));
  if (path.empty() || path.front() != '/') return fail(Errc::failed, "{} names no target folder", what);
  return std::filesystem::path(path);
}

}  // namespace vmpatch::inventory::xml
