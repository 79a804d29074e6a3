#include <algorithm>
#include <array>

#include "recipe/fields.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::array<std::pair<std::string_view, Severity>, 5> severities = {{{"none", Severity::none},
                                                                              {"low", Severity::low},
                                                                              {"medium", Severity::medium},
                                                                              {"high", Severity::high},
                                                                              {"critical", Severity::critical}}};

// Two-character operators first: the first that fits is taken.
constexpr std::array<std::pair<std::string_view, VersionBound::Op>, 5> operators = {{{"<=", VersionBound::Op::le},
                                                                                     {">=", VersionBound::Op::ge},
                                                                                     {"<", VersionBound::Op::lt},
                                                                                     {">", VersionBound::Op::gt},
                                                                                     {"=", VersionBound::Op::eq}}};

}  // namespace

std::string_view to_string(Severity severity) {
  for (const auto& [name, value] : severities)
    if (value == severity) return name;
  return "none";
}

Result<Severity> parse_severity(std::string_view text) {
  for (const auto& [name, value] : severities)
    if (name == text) return value;
  return fail(Errc::usage, "severity '{}' is not known; use none, low, medium, high or critical",
              escape_untrusted(text));
}

std::string VersionBound::text() const {
  for (const auto& [sign, value] : operators)
    if (value == op) return fmt::format("{} {}", sign, version);
  return version;
}

Result<VersionBound> VersionBound::parse(std::string_view text) {
  for (const auto& [sign, value] : operators) {
    if (!text.starts_with(sign)) continue;
    const auto version = trim(text.substr(sign.size()));
    if (!is_version(version)) break;
    return VersionBound{value, std::string(version)};
  }
  return fail(Errc::usage, "version bound '{}' is not one of: < <= = >= > with a version, as \">= 1.2-3\"",
              escape_untrusted(text));
}

const Payload* Recipe::find_payload(std::string_view payload_name) const {
  const auto found = std::find_if(payloads.begin(), payloads.end(),
                                  [&](const Payload& payload) { return payload.name == payload_name; });
  return found == payloads.end() ? nullptr : &*found;
}

std::string_view kind_of(const Step& step) {
  static constexpr std::array<std::string_view, std::variant_size_v<Step>> names = {
      "packages", "file", "edit", "service", "unarchive", "run", "firstboot"};
  return names.at(step.index());
}

}  // namespace vmpatch::recipe
