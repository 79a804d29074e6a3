#include <libxml/tree.h>

#include "inventory/xml/document.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/control.hpp"

namespace vmpatch::inventory {
namespace {

using xml::attribute_or;
using xml::child;
using xml::children;

const xmlNode* find_disk(const xmlNode* domain, const std::string& target) {
  for (const xmlNode* devices : children(domain, "devices")) {
    for (const xmlNode* disk : children(devices, "disk")) {
      if (attribute_or(child(disk, "target"), "dev", "") == target) return disk;
    }
  }
  return nullptr;
}

// The reader's views are of nodes that this document owns and may change.
xmlNode* writable(const xmlNode* node) { return const_cast<xmlNode*>(node); }  // NOLINT(cppcoreguidelines-pro-type-const-cast)

Result<void> set(const xmlNode* node, const char* name, const std::string& value) {
  const auto* bytes = reinterpret_cast<const xmlChar*>(value.c_str());
  if (xmlSetProp(writable(node), reinterpret_cast<const xmlChar*>(name), bytes) != nullptr) return {};
  return fail(Errc::failed, "no memory to change a definition");
}

void remove_children(const xmlNode* parent, std::string_view name) {
  for (const xmlNode* node : children(parent, name)) {
    xmlUnlinkNode(writable(node));
    xmlFreeNode(writable(node));
  }
}

Result<void> move(const xmlNode* domain, const DiskMove& disk_move) {
  const xmlNode* disk = find_disk(domain, disk_move.target);
  const xmlNode* source = disk == nullptr ? nullptr : child(disk, "source");
  const auto at = [&](const char* name) { return source == nullptr ? std::string() : attribute_or(source, name, ""); };
  const std::string kind = disk == nullptr ? "" : attribute_or(disk, "type", "file");
  const bool there = kind == "volume" ? at("volume") == disk_move.from.filename().native() : kind == "file" && at("file") == disk_move.from.native();
  if (source == nullptr || !there) {
    return fail(Errc::refused, "its definition does not name {} for disk {} any more", escape_untrusted(disk_move.from.native()),
                escape_untrusted(disk_move.target));
  }
  VMPATCH_CHECK(kind == "volume" ? set(source, "volume", disk_move.to.filename().native()) : set(source, "file", disk_move.to.native()));
  remove_children(disk, "backingStore");
  return {};
}

struct FreeText {
  void operator()(xmlChar* text) const { xmlFree(text); }
};

}  // namespace

Result<std::string> with_moved_disks(std::string_view xml, const std::vector<DiskMove>& moves) {
  VMPATCH_TRY(const auto document, xml::parse_document(xml, "the definition", "domain"));
  const xmlNode* domain = xmlDocGetRootElement(document.get());
  for (const auto& one : moves) VMPATCH_CHECK(move(domain, one));
  xmlChar* text = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(document.get(), &text, &size, "UTF-8");
  const std::unique_ptr<xmlChar, FreeText> owned(text);
  if (text == nullptr) return fail(Errc::failed, "no memory to write a definition");
  return std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
}

}  // namespace vmpatch::inventory
