#include "cli/repository/fragment.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

/// In double quotes, which YAML reads as JSON does.
std::string quoted(const std::string& text) { return dump_json(Json(text)); }

template <class Texts>
std::string list_of(const Texts& texts) {
  std::vector<std::string> items;
  for (const auto& text : texts) items.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

}  // namespace

std::string write_fragment(const std::vector<repository::Source>& sources) {
  std::string text = "repositories:\n";
  for (const repository::Source& source : sources) {
    const bool apt = source.type == repository::Type::apt;
    text += fmt::format("  - name: {}\n", source.name);
    if (!apt) text += "    type: rpmmd\n";
    text += fmt::format("    for: {{os: {}{}}}\n", quoted(source.os_id), source.versions.empty() ? "" : ", versions: " + list_of(source.versions));
    text += fmt::format("    uris: {}\n", list_of(source.uris));
    if (apt) text += fmt::format("    suites: {}\n    components: {}\n", list_of(source.suites), list_of(source.components));
    text += fmt::format("    architectures: {}\n", list_of(source.architectures));
    text += fmt::format("    signed_by: {}\n", list_of(source.signed_by));
    // Some archives never expire: a mirror that stands still would hide every update.
    if (source.security) text += "    security: true\n    max_age: 14d\n";
  }
  return text;
}

}  // namespace vmpatch::cli
