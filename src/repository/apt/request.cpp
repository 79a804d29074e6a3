#include "repository/apt/request.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::repository::apt {

Json to_json(const ResolveRequest& request) {
  Json sources = Json::array();
  for (const SourceFiles& source : request.sources) {
    sources.push_back({{"uri", source.uri}, {"suite", source.suite}, {"components", source.components}, {"release", source.release},
                       {"indexes", source.indexes}, {"security", source.security}});
  }
  return Json{{"architectures", request.architectures}, {"sources", std::move(sources)},
              {"mode", request.mode == Mode::all ? "all" : "security"}, {"exclude", request.exclude}, {"machine_id_withheld", request.machine_id_withheld}};
}

Result<ResolveRequest> resolve_request_from_json(const Json& json) {
  ResolveRequest request;
  try {
    json.at("architectures").get_to(request.architectures);
    json.at("exclude").get_to(request.exclude);
    request.machine_id_withheld = json.value("machine_id_withheld", false);
    request.mode = json.at("mode").get<std::string>() == "all" ? Mode::all : Mode::security;
    for (const Json& entry : json.at("sources")) {
      SourceFiles source;
      entry.at("uri").get_to(source.uri);
      entry.at("suite").get_to(source.suite);
      entry.at("components").get_to(source.components);
      entry.at("release").get_to(source.release);
      entry.at("indexes").get_to(source.indexes);
      entry.at("security").get_to(source.security);
      request.sources.push_back(std::move(source));
    }
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "a request to resolve is incomplete: {}", error.what());
  }
  if (request.architectures.empty() || request.sources.empty()) return fail(Errc::failed, "a request to resolve is incomplete");
  return request;
}

}  // namespace vmpatch::repository::apt
