#pragma once
// What the key verbs do once their options are read.

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

struct GenerateOptions {
  fs::path path;
  std::string type = "ed25519";
};
struct TrustOptions {
  fs::path file;
  std::string role;
  std::string name;
  std::string expires;
  std::vector<fs::path> authorities;
  std::vector<fs::path> crls;
};
struct RevokeOptions {
  std::string prefix;
  std::string reason;
};
struct ThresholdOptions {
  std::string role;
  unsigned count = 0;
};

Result<int> generate_key(Context& context, const GenerateOptions& options);
Result<int> list_keys(Context& context);
Result<int> trust_key(Context& context, const TrustOptions& options);
Result<int> revoke_key(Context& context, const RevokeOptions& options);
Result<int> set_threshold(Context& context, const ThresholdOptions& options);

}  // namespace vmpatch::cli
