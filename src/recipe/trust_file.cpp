#include "vmpatch/recipe/trust_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "recipe/fields.hpp"
#include "recipe/yaml_text.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::string_view trust_schema = "vm-patch/trust/v1";

bool is_role(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text[0] >= 'a' && text[0] <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

Result<trust::PublicKey> parse_key_of(const YamlNode& node, const std::string& pem) {
  auto key = trust::PublicKey::from_pem(pem, "in the trust file");
  if (!key) return node.error(key.error().message);
  return std::move(*key);
}

Result<trust::TrustedKey> parse_key(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  trust::TrustedKey entry;
  if (const auto name = map.find("name")) {
    VMPATCH_TRY(entry.name, read_line(*name, 200));
  }
  VMPATCH_TRY(const YamlNode role, map.require("role"));
  VMPATCH_TRY(entry.role, role.text());
  if (!is_role(entry.role)) return role.error("a role is a word of a-z, 0-9 and '-', as author or approver");
  const auto type = map.find("type");
  const auto public_key = map.find("public_key");
  const auto certificate = map.find("certificate");
  if (public_key.has_value() == certificate.has_value())
    return node.error("a key needs either public_key or certificate");
  const YamlNode& pem_node = public_key ? *public_key : *certificate;
  VMPATCH_TRY(const std::string pem, pem_node.text());
  const bool is_certificate = pem.find("BEGIN CERTIFICATE") != std::string::npos;
  if (is_certificate != certificate.has_value())
    return pem_node.error("public_key holds a public key, certificate holds a certificate; these are swapped");
  VMPATCH_TRY(trust::PublicKey key, parse_key_of(pem_node, pem));
  if (type) {
    VMPATCH_TRY(const std::string word, type->text());
    if (word != trust::to_string(key.type()))
      return type->error(
          fmt::format("type is '{}', but the key is {}", escape_untrusted(word), trust::to_string(key.type())));
  }
  if (certificate) entry.certificate_pem = pem;
  if (const auto expires = map.find("expires")) {
    VMPATCH_TRY(entry.expires, expires->time());
  }
  if (const auto revoked = map.find("revoked")) {
    VMPATCH_TRY(entry.revoked, revoked->time());
  }
  if (const auto reason = map.find("reason")) {
    if (!entry.revoked) return reason->error("a reason stands only beside revoked");
    VMPATCH_TRY(entry.revoked_reason, read_line(*reason, 500));
  }
  VMPATCH_CHECK(map.finish());
  entry.key = std::make_shared<const trust::PublicKey>(std::move(key));
  return entry;
}

Result<trust::Keyring> parse_keyring(std::string_view text, const std::string& file) {
  VMPATCH_TRY(const YamlNode root, parse_yaml(text, file, Errc::usage));
  trust::Keyring keyring;
  if (root.kind() == YamlNode::Kind::null) return keyring;
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(root));
  VMPATCH_TRY(const YamlNode schema, map.require("schema"));
  VMPATCH_TRY(const std::string schema_name, schema.text());
  if (schema_name != trust_schema) return schema.error(fmt::format("this version reads schema {}", trust_schema));
  if (const auto thresholds = map.find("thresholds")) {
    VMPATCH_TRY(YamlMapping roles, YamlMapping::of(*thresholds));
    for (const auto& [role, value] : roles.entries()) {
      if (!is_role(role)) return value.error(fmt::format("'{}' is not a role", escape_untrusted(role)));
      VMPATCH_TRY(const auto count, value.integer(1, 32));
      keyring.thresholds[role] = static_cast<unsigned>(count);
    }
  }
  if (const auto keys = map.find("keys")) {
    VMPATCH_TRY(const auto items, keys->items());
    for (const auto& item : items) {
      VMPATCH_TRY(trust::TrustedKey entry, parse_key(item));
      for (const auto& other : keyring.keys)
        if (other.key->shares_secret_with(*entry.key))
          return item.error("this key is listed twice, maybe in another form; a private key has one role: remove one of the two");
      keyring.keys.push_back(std::move(entry));
    }
  }
  if (const auto authorities = map.find("authorities")) {
    VMPATCH_TRY(keyring.authorities_pem, authorities->texts());
  }
  if (const auto crls = map.find("crls")) {
    VMPATCH_TRY(keyring.crls_pem, crls->texts());
  }
  VMPATCH_CHECK(map.finish());
  return keyring;
}

/// A PEM text as a block, indented for its place.
std::string pem_block(std::string_view pem, std::string_view indent) {
  std::string block = "|\n";
  for (const auto line : split(trim(pem), '\n')) block += fmt::format("{}{}\n", indent, trim(line));
  return block;
}

std::string write_keyring(const trust::Keyring& keyring) {
  std::string text = fmt::format(
      "# Who may sign recipes. Written by vm-patch key; edits by hand are kept, comments are not.\nschema: {}\n",
      trust_schema);
  text += "thresholds:\n";
  for (const auto& [role, count] : keyring.thresholds)
    if (count > 0) text += fmt::format("  {}: {}\n", yaml_scalar(role), count);
  if (!keyring.keys.empty()) text += "keys:\n";
  for (const auto& entry : keyring.keys) {
    text += fmt::format("  - role: {}\n", yaml_scalar(entry.role));
    if (!entry.name.empty()) text += fmt::format("    name: {}\n", quote_yaml(entry.name));
    text += fmt::format("    type: {}\n", trust::to_string(entry.key->type()));
    if (entry.expires) text += fmt::format("    expires: {}\n", format_time(*entry.expires));
    if (entry.revoked) text += fmt::format("    revoked: {}\n", format_time(*entry.revoked));
    if (!entry.revoked_reason.empty()) text += fmt::format("    reason: {}\n", quote_yaml(entry.revoked_reason));
    if (entry.certificate_pem.empty())
      text += "    public_key: " + pem_block(entry.key->pem(), "      ");
    else
      text += "    certificate: " + pem_block(entry.certificate_pem, "      ");
  }
  const auto list = [&](std::string_view name, const std::vector<std::string>& pems) {
    if (!pems.empty()) text += fmt::format("{}:\n", name);
    for (const auto& pem : pems) text += "  - " + pem_block(pem, "    ");
  };
  list("authorities", keyring.authorities_pem);
  list("crls", keyring.crls_pem);
  return text;
}

}  // namespace

Result<trust::Keyring> load_trust_file(const std::filesystem::path& path) {
  const auto what = fmt::format("trust file {}", path.string());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return trust::Keyring{};
  if (!fd) return errno_error(errno, what);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, what);
  if (!S_ISREG(status.st_mode)) return fail(Errc::refused, "{}: not a regular file", what);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::refused, "{}: mode {:04o} lets others add keys; run: chmod go-w {}", what,
                status.st_mode & 07777U, path.string());
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return fail(Errc::refused, "{}: belongs to another user (uid {}); chown it to root or to yourself", what,
                status.st_uid);
  VMPATCH_TRY(const std::string text, read_fd(fd.get(), 4U << 20U, what));
  return parse_keyring(text, path.string());
}

Result<void> save_trust_file(const std::filesystem::path& path, const trust::Keyring& keyring) {
  if (!path.parent_path().empty()) VMPATCH_CHECK(make_dirs(path.parent_path()));
  return write_file_atomic(path, write_keyring(keyring), 0644);
}

}  // namespace vmpatch::recipe
