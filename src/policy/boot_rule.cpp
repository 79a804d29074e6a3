#include <array>

#include "policy/parse.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::policy {
namespace {

constexpr std::array words{std::pair<std::string_view, BootProof>{"never", BootProof::never}, {"kernel", BootProof::kernel}, {"always", BootProof::always}};
constexpr Seconds shortest{10}, longest{3600};

}  // namespace

std::string_view to_string(BootProof when) {
  for (const auto& [word, value] : words) {
    if (value == when) return word;
  }
  return "";
}

Result<BootProof> parse_boot_proof(std::string_view word) {
  for (const auto& [known, value] : words) {
    if (known == word) return value;
  }
  return fail(Errc::usage, "'{}' is neither never, kernel nor always", escape_untrusted(word));
}

Result<BootRule> parse_boot_rule(recipe::YamlMapping& map) {
  BootRule rule;
  if (const auto proof = map.find("boot_proof")) {
    VMPATCH_TRY(const std::string word, proof->text());
    const auto parsed = parse_boot_proof(word);
    if (!parsed) return proof->error(parsed.error().message);
    rule.proof = *parsed;
  }
  if (const auto timeout = map.find("boot_timeout")) {
    VMPATCH_TRY(rule.timeout, timeout->duration());
    if (*rule.timeout < shortest || *rule.timeout > longest) return timeout->error("a boot proof takes from 10 s to 1 h");
  }
  return rule;
}

}  // namespace vmpatch::policy
