#include "cli/common/output.hpp"
#include "cli/key/key_verbs.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::cli {
namespace {

std::string_view state_of(const trust::TrustedKey& entry, Time now) {
  if (entry.revoked && now >= *entry.revoked) return "revoked";
  if (entry.expires && now >= *entry.expires) return "expired";
  return "trusted";
}

std::string note_of(const trust::TrustedKey& entry) {
  if (entry.revoked)
    return fmt::format("since {}: {}", format_time(*entry.revoked).substr(0, 10),
                       escape_untrusted(entry.revoked_reason));
  if (entry.expires) return "until " + format_time(*entry.expires).substr(0, 10);
  return {};
}

Json key_json(const trust::TrustedKey& entry, Time now) {
  Json json;
  json["id"] = entry.key->id();
  json["type"] = trust::to_string(entry.key->type());
  json["role"] = entry.role;
  json["name"] = entry.name;
  json["state"] = state_of(entry, now);
  json["certificate"] = !entry.certificate_pem.empty();
  json["expires"] = entry.expires ? Json(format_time(*entry.expires)) : Json();
  json["revoked"] = entry.revoked ? Json(format_time(*entry.revoked)) : Json();
  json["reason"] = entry.revoked_reason;
  return json;
}

}  // namespace

Result<int> list_keys(Context& context) {
  VMPATCH_TRY(const trust::Keyring keyring, recipe::load_trust_file(context.paths.trust));
  const auto now = context.clock.now();
  if (context.options.json) {
    Json json;
    json["schema"] = "vm-patch/keys/v1";
    json["trust_file"] = context.paths.trust.string();
    json["thresholds"] = Json::object();
    for (const auto& [role, count] : keyring.thresholds) json["thresholds"][role] = count;
    json["keys"] = Json::array();
    for (const auto& entry : keyring.keys) json["keys"].push_back(key_json(entry, now));
    print_json(json);
    return 0;
  }
  if (keyring.keys.empty()) {
    print_text(fmt::format("no key is trusted in {}; add one with vm-patch key trust FILE.pub --role author\n",
                           context.paths.trust.string()));
    return 0;
  }
  Table table({"KEY ID", "ROLE", "NAME", "TYPE", "STATE", ""});
  for (const auto& entry : keyring.keys)
    table.add_row({entry.key->id().substr(0, 16), escape_untrusted(entry.role), escape_untrusted(entry.name),
                   std::string(trust::to_string(entry.key->type())), std::string(state_of(entry, now)),
                   note_of(entry)});
  print_text(table.format());
  std::string needs;
  for (const auto& [role, count] : keyring.thresholds)
    needs += fmt::format("{}{} {}", needs.empty() ? "" : ", ", count, escape_untrusted(role));
  print_text(fmt::format("\nA recipe needs signatures of: {}\n", needs));
  return 0;
}

}  // namespace vmpatch::cli
