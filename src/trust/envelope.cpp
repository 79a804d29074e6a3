#include <set>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::trust {
namespace {

constexpr std::size_t max_envelope = 16U << 20U;
constexpr std::size_t max_signatures = 32;

Error bad(std::string_view name, std::string_view what) {
  return fail(Errc::untrusted, "{}: not a DSSE envelope: {}", name, what);
}

// A JSON library keeps one of two equal names; two readers may then see two documents under one signature.
bool has_duplicate_members(std::string_view json) {
  std::vector<std::set<std::string>> open;
  bool duplicate = false;
  const Json::parser_callback_t watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == Json::parse_event_t::key && !open.empty())
      duplicate = !open.back().insert(parsed.get<std::string>()).second || duplicate;
    return true;
  };
  const Json document = Json::parse(json, watch, false);
  return duplicate || document.is_discarded();
}

Result<std::string> text_member(const Json& object, const char* key, std::string_view name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return bad(name, fmt::format("'{}' must be a text", key));
  return found->get<std::string>();
}

Result<void> check_members(const Json& object, std::initializer_list<std::string_view> known, std::string_view name) {
  if (!object.is_object()) return bad(name, "a JSON object was expected");
  for (const auto& [key, value] : object.items()) {
    bool is_known = false;
    for (const auto candidate : known) is_known = is_known || candidate == key;
    if (!is_known) return bad(name, fmt::format("unknown member '{}'", escape_untrusted(key)));
  }
  return {};
}

}  // namespace

Result<Envelope> parse_envelope(std::string_view json, std::string_view name) {
  if (json.size() > max_envelope) return bad(name, "larger than 16 MiB");
  auto document = parse_json(json, name);
  if (!document) return bad(name, document.error().message);
  if (has_duplicate_members(json)) return bad(name, "a member occurs twice");
  VMPATCH_CHECK(check_members(*document, {"payloadType", "payload", "signatures"}, name));

  Envelope envelope;
  VMPATCH_TRY(envelope.payload_type, text_member(*document, "payloadType", name));
  VMPATCH_TRY(const std::string payload, text_member(*document, "payload", name));
  auto decoded = from_base64(payload);
  if (!decoded) return bad(name, "payload is not base64");
  envelope.payload = std::move(*decoded);

  const auto signatures = document->find("signatures");
  if (signatures == document->end() || !signatures->is_array()) return bad(name, "'signatures' must be a list");
  if (signatures->size() > max_signatures) return bad(name, "more than 32 signatures");
  for (const auto& entry : *signatures) {
    VMPATCH_CHECK(check_members(entry, {"keyid", "sig"}, name));
    Envelope::Signature signature;
    VMPATCH_TRY(signature.key_id, text_member(entry, "keyid", name));
    VMPATCH_TRY(const std::string text, text_member(entry, "sig", name));
    auto bytes = from_base64(text);
    if (!bytes) return bad(name, "a signature is not base64");
    signature.signature = std::move(*bytes);
    envelope.signatures.push_back(std::move(signature));
  }
  return envelope;
}

std::string write_envelope(const Envelope& envelope) {
  Json document;
  document["payloadType"] = envelope.payload_type;
  document["payload"] = to_base64(envelope.payload);
  document["signatures"] = Json::array();
  for (const auto& signature : envelope.signatures) {
    Json entry;
    entry["keyid"] = signature.key_id;
    entry["sig"] = to_base64(signature.signature);
    document["signatures"].push_back(std::move(entry));
  }
  return dump_json(document) + "\n";
}

std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(), payload);
}

Result<void> add_signature(Envelope& envelope, const PrivateKey& key) {
  VMPATCH_TRY(const PublicKey public_key, key.public_key());
  for (const auto& signature : envelope.signatures)
    if (signature.key_id == public_key.id())
      return fail(Errc::refused, "signing: key {} has signed this already", public_key.id());
  if (envelope.signatures.size() >= max_signatures)
    return fail(Errc::refused, "signing: an envelope holds at most {} signatures", max_signatures);
  VMPATCH_TRY(std::string bytes, key.sign(pre_authentication_encoding(envelope.payload_type, envelope.payload)));
  envelope.signatures.push_back({public_key.id(), std::move(bytes)});
  return {};
}

}  // namespace vmpatch::trust
