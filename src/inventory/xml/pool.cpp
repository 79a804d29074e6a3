#include "inventory/xml/pool.hpp"

#include "inventory/xml/document.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::xml {

namespace {

Result<std::filesystem::path> read_folder(const xmlNode* pool, std::string_view what) {
  const std::string path = text(child(child(pool, "target"), "path"));
  if (path.empty() || path.front() != '/') return fail(Errc::failed, "{} names no target folder", what);
  return std::filesystem::path(path);
}

}  // namespace

Result<std::filesystem::path> parse_pool_folder(std::string_view bytes, std::string_view pool) {
  const std::string what = "XML of storage pool " + escape_untrusted(pool);
  VMPATCH_TRY(const auto document, parse_document(bytes, what, "pool"));
  return read_folder(xmlDocGetRootElement(document.get()), what);
}

Result<std::filesystem::path> parse_pool_status_folder(std::string_view bytes, std::string_view pool) {
  const std::string what = "status XML of storage pool " + escape_untrusted(pool);
  VMPATCH_TRY(const auto document, parse_document(bytes, what, "poolstate"));
  return read_folder(child(xmlDocGetRootElement(document.get()), "pool"), what);
}

}  // namespace vmpatch::inventory::xml
