#include "inventory/xml/document.hpp"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <charconv>

#include "inventory/xml/silence.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::xml {
namespace {

constexpr std::size_t max_bytes = 4U << 20U;
constexpr int max_depth = 64;

void print_nothing(void*, const char*, ...) {}

struct FreeContext {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

/// What made us stop the parser ourselves; libxml2 hands it to the callbacks as `_private`.
struct Guard {
  bool document_type = false;
  bool too_deep = false;
};

std::string_view view(const xmlChar* text) {
  // libxml2's strings are unsigned char.
  return text == nullptr ? std::string_view{} : std::string_view{reinterpret_cast<const char*>(text)};
}

Guard& guard_of(xmlParserCtxt* context) { return *static_cast<Guard*>(context->_private); }

// A document type is the only way to declare entities; libvirt never writes one.
void refuse_document_type(void* data, const xmlChar*, const xmlChar*, const xmlChar*) {
  auto* context = static_cast<xmlParserCtxt*>(data);
  guard_of(context).document_type = true;
  xmlStopParser(context);
}

void start_element(void* data, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri, int namespaces,
                   const xmlChar** namespace_list, int attributes, int defaulted, const xmlChar** attribute_list) {
  auto* context = static_cast<xmlParserCtxt*>(data);
  if (context->nodeNr >= max_depth) {
    guard_of(context).too_deep = true;
    xmlStopParser(context);
    return;
  }
  xmlSAX2StartElementNs(data, name, prefix, uri, namespaces, namespace_list, attributes, defaulted, attribute_list);
}

Error parse_error(const xmlParserCtxt& context, std::string_view what) {
  const xmlError& error = context.lastError;
  const std::string_view message = error.message == nullptr ? "empty document" : trim(error.message);
  return fail(Errc::failed, "{} is not well-formed XML: line {}: {}", what, error.line, escape_untrusted(message));
}

}  // namespace

Result<Document> parse_document(std::string_view bytes, std::string_view what, std::string_view root) {
  if (bytes.size() > max_bytes) {
    return fail(Errc::refused, "{} is larger than {}; give a smaller one", what, format_size(max_bytes));
  }
  const std::unique_ptr<xmlParserCtxt, FreeContext> context(xmlNewParserCtxt());
  if (!context) return fail(Errc::failed, "parse {}: out of memory", what);
  Guard guard;
  context->_private = &guard;
  context->sax->internalSubset = refuse_document_type;
  context->sax->startElementNs = start_element;
  // The encoding is given, so that a declared UTF-16 or UTF-7 cannot make the parser read something else than we did.
  Document document(xmlCtxtReadMemory(context.get(), bytes.data(), static_cast<int>(bytes.size()), nullptr, "UTF-8",
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS));
  if (guard.document_type) {
    return fail(Errc::refused, "{} has a document type, which libvirt never writes; remove the DOCTYPE", what);
  }
  if (guard.too_deep) return fail(Errc::refused, "{} is nested deeper than {} elements; make it flatter", what, max_depth);
  if (!document) return parse_error(*context, what);
  const xmlNode* top = xmlDocGetRootElement(document.get());
  if (top == nullptr || !is_element(top, root)) {
    return fail(Errc::failed, "{} is not a <{}> document; its root is <{}>", what, root,
                top == nullptr ? "" : escape_untrusted(view(top->name)));
  }
  return document;
}

void silence_libxml2() { xmlSetGenericErrorFunc(nullptr, print_nothing); }

bool is_element(const xmlNode* node, std::string_view name) {
  return node->type == XML_ELEMENT_NODE && node->ns == nullptr && view(node->name) == name;
}

const xmlNode* child(const xmlNode* parent, std::string_view name) {
  if (parent == nullptr) return nullptr;
  for (const xmlNode* node = parent->children; node != nullptr; node = node->next) {
    if (is_element(node, name)) return node;
  }
  return nullptr;
}

std::vector<const xmlNode*> children(const xmlNode* parent, std::string_view name) {
  std::vector<const xmlNode*> found;
  if (parent == nullptr) return found;
  for (const xmlNode* node = parent->children; node != nullptr; node = node->next) {
    if (is_element(node, name)) found.push_back(node);
  }
  return found;
}

const xmlNode* child_in_namespace(const xmlNode* parent, std::string_view name, std::string_view uri) {
  if (parent == nullptr) return nullptr;
  for (const xmlNode* node = parent->children; node != nullptr; node = node->next) {
    if (node->type == XML_ELEMENT_NODE && node->ns != nullptr && view(node->ns->href) == uri && view(node->name) == name) {
      return node;
    }
  }
  return nullptr;
}

std::optional<std::string> attribute(const xmlNode* node, std::string_view name) {
  if (node == nullptr) return std::nullopt;
  for (const xmlAttr* one = node->properties; one != nullptr; one = one->next) {
    if (one->ns != nullptr || view(one->name) != name) continue;
    std::string value;
    for (const xmlNode* part = one->children; part != nullptr; part = part->next) value += view(part->content);
    return value;
  }
  return std::nullopt;
}

std::string attribute_or(const xmlNode* node, std::string_view name, std::string_view fallback) {
  return attribute(node, name).value_or(std::string(fallback));
}

std::string text(const xmlNode* node) {
  std::string value;
  if (node == nullptr) return value;
  for (const xmlNode* part = node->children; part != nullptr; part = part->next) {
    if (part->type == XML_TEXT_NODE || part->type == XML_CDATA_SECTION_NODE) value += view(part->content);
  }
  return value;
}

unsigned number_or(std::string_view text, unsigned fallback) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? value : fallback;
}

}  // namespace vmpatch::inventory::xml
