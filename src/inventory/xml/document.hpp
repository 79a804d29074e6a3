#pragma once
// Hostile XML into a tree: bounded, without document type, entities, network or XInclude.

#include <libxml/tree.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::inventory::xml {

struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using Document = std::unique_ptr<xmlDoc, FreeDocument>;

/// `what` names the document in messages. Refused: above 4 MiB, deeper than 64, with a document type. Failed: not
/// well-formed, or the root element is not `root`.
Result<Document> parse_document(std::string_view bytes, std::string_view what, std::string_view root);

/// Elements in a namespace never match a plain name: <x:disk> is not a disk.
[[nodiscard]] bool is_element(const xmlNode* node, std::string_view name);
[[nodiscard]] const xmlNode* child(const xmlNode* parent, std::string_view name);
[[nodiscard]] std::vector<const xmlNode*> children(const xmlNode* parent, std::string_view name);
[[nodiscard]] const xmlNode* child_in_namespace(const xmlNode* parent, std::string_view name, std::string_view uri);
[[nodiscard]] std::optional<std::string> attribute(const xmlNode* node, std::string_view name);
/// attribute() of a node that may be null.
[[nodiscard]] std::string attribute_or(const xmlNode* node, std::string_view name, std::string_view fallback);
[[nodiscard]] std::string text(const xmlNode* node);
/// A plain decimal number; `fallback` for anything else.
[[nodiscard]] unsigned number_or(std::string_view text, unsigned fallback);

}  // namespace vmpatch::inventory::xml
