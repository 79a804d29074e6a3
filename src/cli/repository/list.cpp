#include <unistd.h>

#include <cerrno>

#include "cli/common/output.hpp"
#include "cli/repository/repository_verbs.hpp"
#include "cli/repository/source_json.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {
namespace {

using repository::Source;

std::string_view key_state(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) return "no file";
  if (::access(file.c_str(), R_OK) == 0) return "readable";
  return errno == ENOENT || errno == ENOTDIR ? "missing" : "unreadable";
}

Json list_json(const std::vector<Source>& sources) {
  Json json{{"schema", "vm-patch/repositories/v1"}, {"repositories", Json::array()}};
  for (const Source& source : sources) {
    Json entry = source_json(source);
    Json& keys = entry["signed_by"] = Json::array();
    for (const auto& file : source.signed_by) keys.push_back({{"file", file.string()}, {"state", key_state(file)}});
    json["repositories"].push_back(std::move(entry));
  }
  return json;
}

/// One line each.
template <class Values>
std::string lines_of(const Values& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : "\n") + escape_untrusted(value);
  return text;
}

std::string list_table(const std::vector<Source>& sources) {
  Table table({"NAME", "TYPE", "FOR", "URI", "SUITES", "COMPONENTS", "SECURITY", "SIGNED BY"});
  for (const Source& source : sources) {
    std::vector<std::string> keys;
    for (const auto& file : source.signed_by) {
      const auto state = key_state(file);
      keys.push_back(state == "readable" ? file.string() : fmt::format("{} ({})", file.string(), state));
    }
    table.add_row({source.name, source.type == repository::Type::apt ? "apt" : "rpmmd",
                   fmt::format("{} {}", source.os_id, source.versions.empty() ? "all" : fmt::format("{}", fmt::join(source.versions, ", "))),
                   lines_of(source.uris), lines_of(source.suites), lines_of(source.components), source.security ? "yes" : "no", lines_of(keys)});
  }
  return table.format();
}

}  // namespace

Result<int> list_repositories(Context& context) {
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  if (context.options.json) {
    print_json(list_json(policy.repositories));
  } else if (policy.repositories.empty()) {
    print_text(fmt::format("no repository is configured in {}; vm-patch repository import writes entries for those of this host's apt\n",
                           context.paths.config.empty() ? "/etc/vm-patch/vm-patch.yaml" : escape_untrusted(context.paths.config.string())));
  } else {
    print_text(list_table(policy.repositories));
  }
  return 0;
}

}  // namespace vmpatch::cli
