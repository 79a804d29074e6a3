#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/key/key_verbs.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::uint64_t max_pem = 1U << 20U;
constexpr std::size_t shortest_prefix = 8;

Result<void> check_role(const std::string& role) {
  if (role == "author" || role == "approver" || role == trust::refresher_role) return {};
  return fail(Errc::usage, "role '{}' is not known; use author, approver or refresher", escape_untrusted(role));
}

/// Reads, changes and writes the trust file while nobody else does.
template <class Change>
Result<trust::Keyring> change_trust_file(const Context& context, Change&& change) {
  const auto& path = context.paths.trust;
  // The state folder is the owner's alone, whichever command makes it first.
  const auto folder = path.parent_path();
  if (!folder.empty()) VMPATCH_CHECK(make_dirs(folder, folder == context.paths.state ? 0700 : 0755));
  auto lock_path = path;
  lock_path += ".lock";
  VMPATCH_TRY(const UniqueFd lock, lock_file(lock_path));
  VMPATCH_TRY(trust::Keyring keyring, recipe::load_trust_file(path));
  VMPATCH_CHECK(change(keyring));
  VMPATCH_CHECK(recipe::save_trust_file(path, keyring));
  return keyring;
}

void print_key(const Context& context, std::string_view what, const trust::TrustedKey& entry) {
  if (!context.options.json) {
    print_text(fmt::format("{} {} ({}), role {}, in {}\n", what, entry.key->id(), escape_untrusted(entry.name),
                           entry.role, context.paths.trust.string()));
    return;
  }
  Json json;
  json["schema"] = "vm-patch/key/v1";
  json["id"] = entry.key->id();
  json["name"] = entry.name;
  json["role"] = entry.role;
  json["state"] = what;
  json["trust_file"] = context.paths.trust.string();
  print_json(json);
}

Result<std::vector<std::string>> read_pems(const std::vector<fs::path>& files) {
  std::vector<std::string> pems;
  for (const auto& file : files) {
    VMPATCH_TRY(std::string pem, read_file(file, max_pem));
    pems.push_back(std::move(pem));
  }
  return pems;
}

void append_new(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const auto& text : more)
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

}  // namespace

Result<int> trust_key(Context& context, const TrustOptions& options) {
  VMPATCH_CHECK(check_role(options.role));
  VMPATCH_TRY(const std::string pem, read_file(options.file, max_pem));
  VMPATCH_TRY(auto key, trust::PublicKey::from_pem(pem, options.file.string()));
  VMPATCH_TRY(const auto authorities, read_pems(options.authorities));
  VMPATCH_TRY(const auto crls, read_pems(options.crls));
  trust::TrustedKey entry;
  entry.role = options.role;
  entry.name = options.name.empty() ? options.file.stem().string() : options.name;
  if (!options.expires.empty()) {
    VMPATCH_TRY(entry.expires, parse_time(options.expires));
    if (*entry.expires <= context.clock.now())
      return fail(Errc::usage, "--expires {} is in the past", format_time(*entry.expires));
  }
  if (pem.find("-----BEGIN CERTIFICATE-----") != std::string::npos) entry.certificate_pem = pem;
  entry.key = std::make_shared<const trust::PublicKey>(std::move(key));
  VMPATCH_TRY(const auto keyring, change_trust_file(context, [&](trust::Keyring& changed) -> Result<void> {
                for (const auto& other : changed.keys) {
                  if (!other.key->shares_secret_with(*entry.key)) continue;
                  if (other.revoked)
                    return fail(Errc::refused, "key {} was revoked ({}); a revoked key stays revoked", other.key->id(),
                                escape_untrusted(other.revoked_reason));
                  return fail(Errc::refused, "key {} is trusted already, as {}; a key has one role", other.key->id(),
                              other.role);
                }
                append_new(changed.authorities_pem, authorities);
                append_new(changed.crls_pem, crls);
                if (!entry.certificate_pem.empty() && changed.authorities_pem.empty())
                  return fail(Errc::usage, "{} is a certificate; name its CA with --authority FILE",
                              options.file.string());
                changed.keys.push_back(entry);
                return {};
              }));
  print_key(context, "trusted", entry);
  if (!context.options.quiet && entry.role != trust::refresher_role && !keyring.thresholds.contains(entry.role))
    context.log.info("{} signatures are not required yet; to require one: vm-patch key threshold {} 1", entry.role,
                     entry.role);
  return 0;
}

Result<int> revoke_key(Context& context, const RevokeOptions& options) {
  const bool hex = options.prefix.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || options.prefix.size() < shortest_prefix)
    return fail(Errc::usage, "'{}' is not a key id or its beginning of {} hex digits or more; see: vm-patch key list",
                escape_untrusted(options.prefix), shortest_prefix);
  if (trim(options.reason).empty()) return make_error(Errc::usage, "--reason must say why the key is revoked");
  std::optional<trust::TrustedKey> revoked;
  VMPATCH_TRY(
      const auto keyring, change_trust_file(context, [&](trust::Keyring& changed) -> Result<void> {
        trust::TrustedKey* found = nullptr;
        for (auto& entry : changed.keys) {
          if (!entry.key->id().starts_with(options.prefix)) continue;
          if (found != nullptr)
            return fail(Errc::usage, "'{}' is the beginning of several key ids; give more digits", options.prefix);
          found = &entry;
        }
        if (found == nullptr)
          return fail(Errc::not_found, "no trusted key begins with '{}'; see: vm-patch key list", options.prefix);
        if (found->revoked)
          return fail(Errc::refused, "key {} was revoked on {} already", found->key->id(),
                      format_time(*found->revoked));
        found->revoked = std::chrono::floor<std::chrono::seconds>(context.clock.now());
        found->revoked_reason = escape_untrusted(trim(options.reason));
        revoked = *found;
        return {};
      }));
  print_key(context, "revoked", *revoked);
  return 0;
}

Result<int> set_threshold(Context& context, const ThresholdOptions& options) {
  VMPATCH_CHECK(check_role(options.role));
  if (options.role == trust::refresher_role) {
    return make_error(Errc::usage, "refresher has no threshold: one signature is enough for what a refresh makes, and for nothing else");
  }
  if (options.count > 32) return make_error(Errc::usage, "a threshold is at most 32 signatures");
  if (options.role == "author" && options.count == 0)
    return make_error(Errc::usage, "a recipe needs at least one author signature");
  VMPATCH_TRY(const auto keyring, change_trust_file(context, [&](trust::Keyring& changed) -> Result<void> {
                changed.thresholds[options.role] = options.count;
                if (options.count == 0) changed.thresholds.erase(options.role);
                return {};
              }));
  const auto usable = std::count_if(keyring.keys.begin(), keyring.keys.end(), [&](const trust::TrustedKey& entry) {
    return entry.role == options.role && !entry.revoked;
  });
  if (usable < static_cast<std::ptrdiff_t>(options.count))
    context.log.warn("only {} keys of role {} are trusted: no recipe can be accepted until there are {}", usable,
                     options.role, options.count);
  if (context.options.json) {
    Json json;
    json["schema"] = "vm-patch/thresholds/v1";
    json["thresholds"] = Json::object();
    for (const auto& [role, count] : keyring.thresholds) json["thresholds"][role] = count;
    print_json(json);
  } else {
    print_text(fmt::format("a recipe needs {} {} signatures, by {}\n", options.count, options.role,
                           context.paths.trust.string()));
  }
  return 0;
}

}  // namespace vmpatch::cli
