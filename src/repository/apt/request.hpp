#pragma once
// What vm-patch asks of vm-patch-apt, on its standard input as JSON.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository::apt {

/// One suite of one repository, its files verified before.
struct SourceFiles {
  std::string uri;    ///< as in sources.list, with a slash at its end
  std::string suite;
  std::vector<std::string> components;
  std::string release;                         ///< path of the Release file's signed text
  std::map<std::string, std::string> indexes;  ///< "main/binary-amd64/Packages" → path, whose ending names the compression
  bool security = false;
};

struct ResolveRequest {
  std::vector<std::string> architectures;  ///< Debian's words, the guest's own first
  std::vector<SourceFiles> sources;
  Mode mode = Mode::security;
  std::vector<std::string> exclude;      ///< name patterns (glob): never changed
  bool machine_id_withheld = false;      ///< the guest may have one: where it decides, the answer is needs_machine_id
};

/// Instead of an answer. What is answered without a machine-id is the same for all machines that are alike but for theirs.
constexpr std::string_view needs_machine_id = R"({"needs_machine_id":true,"schema":"vm-patch/apt-answer/v1"})";

Json to_json(const ResolveRequest& request);
Result<ResolveRequest> resolve_request_from_json(const Json& json);

}  // namespace vmpatch::repository::apt
