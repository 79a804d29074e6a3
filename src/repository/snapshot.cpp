#include "vmpatch/repository/snapshot.hpp"

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::repository {
namespace {

constexpr const char* schema = "vm-patch/suite/v1";

Json to_json(const IndexFile& file) { return Json{{"sha256", file.sha256.hex()}, {"size", file.size}, {"compression", file.compression}}; }

Result<IndexFile> index_file(const Json& json) {
  IndexFile file;
  VMPATCH_TRY(file.sha256, Digest::parse(json.at("sha256").get<std::string>()));
  json.at("size").get_to(file.size);
  json.at("compression").get_to(file.compression);
  return file;
}

Result<void> read_texts(const Json& json, Suite& suite) {
  if (json.at("schema") != schema) return fail(Errc::failed, "its schema is not {}", schema);
  for (const auto& [key, target] : std::map<std::string, std::string*>{{"repository", &suite.repository}, {"uri", &suite.uri}, {"suite", &suite.suite},
                                                                       {"origin", &suite.origin}, {"label", &suite.label}, {"archive", &suite.archive},
                                                                       {"codename", &suite.codename}, {"version", &suite.version}}) {
    json.at(key).get_to(*target);
  }
  json.at("components").get_to(suite.components);
  json.at("security").get_to(suite.security);
  json.at("pinned").get_to(suite.pinned);
  for (const Json& signer : json.at("signers")) {
    suite.signers.push_back({signer.at("fingerprint").get<std::string>(), signer.at("user").get<std::string>()});
  }
  return {};
}

Result<Suite> read(const Json& json) {
  Suite suite;
  VMPATCH_CHECK(read_texts(json, suite));
  VMPATCH_TRY(suite.date, parse_time(json.at("date").get<std::string>()));
  VMPATCH_TRY(suite.fetched, parse_time(json.at("fetched").get<std::string>()));
  if (!json.at("valid_until").is_null()) {
    VMPATCH_TRY(suite.valid_until, parse_time(json.at("valid_until").get<std::string>()));
  }
  VMPATCH_TRY(suite.signed_file, Digest::parse(json.at("signed_file").get<std::string>()));
  VMPATCH_TRY(suite.configuration, Digest::parse(json.at("configuration").get<std::string>()));
  VMPATCH_TRY(suite.release, index_file(json.at("release")));
  for (const auto& [key, value] : json.at("indexes").items()) {
    VMPATCH_TRY(IndexFile file, index_file(value));
    suite.indexes.emplace(key, std::move(file));
  }
  return suite;
}

}  // namespace

Json to_json(const Suite& suite) {
  Json signers = Json::array(), indexes = Json::object();
  for (const SignedBy& signer : suite.signers) signers.push_back({{"fingerprint", signer.fingerprint}, {"user", signer.user}});
  for (const auto& [key, file] : suite.indexes) indexes[key] = to_json(file);
  return Json{{"schema", schema}, {"repository", suite.repository}, {"uri", suite.uri}, {"suite", suite.suite}, {"components", suite.components},
              {"security", suite.security}, {"origin", suite.origin}, {"label", suite.label}, {"archive", suite.archive},
              {"codename", suite.codename}, {"version", suite.version}, {"date", format_time(suite.date)},
              {"valid_until", suite.valid_until ? Json(format_time(*suite.valid_until)) : Json()}, {"pinned", suite.pinned},
              {"signed_file", suite.signed_file.hex()}, {"configuration", suite.configuration.hex()}, {"release", to_json(suite.release)}, {"signers", std::move(signers)},
              {"indexes", std::move(indexes)}, {"fetched", format_time(suite.fetched)}};
}

Result<Suite> suite_from_json(const Json& json) {
  try {
    auto suite = read(json);
    if (!suite) return fail(Errc::failed, "it is no record of a suite of this version: {}", suite.error().message);
    // As text: numbers of other kinds are equal otherwise.
    if (dump_json(to_json(*suite)) != dump_json(json)) return fail(Errc::failed, "it is no record of a suite of this version: it has other fields or values");
    return suite;
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "it is no record of a suite of this version: {}", error.what());
  }
}

Result<Digest> configuration_of(const Source& source) {
  constexpr std::uint64_t max_keyring = 4U << 20U;
  Json keys = Json::array();
  for (const fs::path& file : source.signed_by) {
    VMPATCH_TRY(const std::string content, read_file(file, max_keyring));
    keys.push_back(sha256(content).hex());
  }
  Json pin;
  if (source.snapshot) {
    const auto* digest = std::get_if<Digest>(&*source.snapshot);
    pin = digest != nullptr ? digest->hex() : format_time(std::get<Time>(*source.snapshot));
  }
  return sha256(dump_json(Json{source.uris, source.suites, source.components, source.architectures, source.security, std::move(keys), std::move(pin)}));
}

Digest Snapshot::digest() const {
  Json all = Json::array();
  for (const Suite& suite : suites) {
    Json entry = to_json(suite);
    for (const char* of_this_host : {"fetched", "configuration"}) entry.erase(of_this_host);
    all.push_back(std::move(entry));
  }
  return sha256(dump_json(all));
}

Time Snapshot::date() const {
  const auto newest = std::max_element(suites.begin(), suites.end(), [](const Suite& a, const Suite& b) { return a.date < b.date; });
  return newest == suites.end() ? Time{} : newest->date;
}

std::optional<Time> Snapshot::expires() const {
  std::optional<Time> first;
  for (const Suite& suite : suites) {
    if (suite.valid_until && !suite.pinned && (!first || *suite.valid_until < *first)) first = suite.valid_until;
  }
  return first;
}

}  // namespace vmpatch::repository
