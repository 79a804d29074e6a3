#include "vmpatch/repository/update.hpp"

#include <algorithm>

#include "vmpatch/core/json.hpp"

namespace vmpatch::repository {
namespace {

Json to_json(const Change& change) {
  Json json{{"name", change.name}, {"arch", change.arch}, {"from", change.from}, {"to", change.to}, {"security", change.security},
            {"downgrade", change.downgrade}, {"essential", change.essential}, {"because", change.because}};
  if (change.to.empty()) return json;
  json.update(Json{{"repository", change.repository}, {"suite", change.suite}, {"file", change.file}, {"sha256", change.sha256.hex()},
                   {"size", change.size}, {"source", change.source}, {"source_version", change.source_version},
                   {"installed_size", change.installed_size}});
  return json;
}

Json to_json(const Kept& kept) {
  return Json{{"name", kept.name}, {"arch", kept.arch}, {"version", kept.version}, {"candidate", kept.candidate}, {"why", kept.why}, {"security", kept.security}};
}

Json to_json(const Installed& package) { return Json{{"name", package.name}, {"arch", package.arch}, {"version", package.version}}; }

template <class Row>
Json rows(const std::vector<Row>& all) {
  Json json = Json::array();
  for (const Row& row : all) json.push_back(to_json(row));
  return json;
}

}  // namespace

std::string_view to_string(Mode mode) { return mode == Mode::all ? "all" : "security"; }

std::string_view to_string(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::unpack: return "unpack";
    case Operation::Kind::configure: return "configure";
    case Operation::Kind::remove: return "remove";
    case Operation::Kind::purge: return "purge";
  }
  return "";
}

std::size_t Update::kept_back() const {
  return static_cast<std::size_t>(std::count_if(kept.begin(), kept.end(), [&](const Kept& one) {
    return one.why != "phased" && (mode == Mode::all || one.security);
  }));
}

std::uint64_t Update::download_size() const {
  std::uint64_t all = 0;
  for (const Change& change : changes) all += change.size;
  return all;
}

std::int64_t Update::installed_size() const {
  std::int64_t all = 0;
  for (const Change& change : changes) all += change.installed_size;
  return all;
}

Json to_json(const Update& update) {
  Json operations = Json::array();
  for (const Operation& operation : update.operations) {
    operations.push_back({{"do", to_string(operation.kind)}, {"name", operation.name}, {"arch", operation.arch}});
  }
  return Json{{"schema", "vm-patch/update/v1"}, {"snapshot", update.snapshot.hex()}, {"mode", to_string(update.mode)},
              {"download_size", update.download_size()}, {"installed_size", update.installed_size()}, {"changes", rows(update.changes)},
              {"operations", std::move(operations)}, {"kept", rows(update.kept)}, {"unknown", rows(update.unknown)},
              {"unneeded", rows(update.unneeded)}};
}

}  // namespace vmpatch::repository
