#include "vmpatch/core/file.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::policy {

Result<Policy> load_policy(const std::filesystem::path& file) {
  if (file.empty()) return Policy{};
  const auto text = read_file(file, 4U << 20U);
  if (!text) return make_error(Errc::usage, "configuration: " + text.error().message);
  return parse_policy(*text, file.string());
}

}  // namespace vmpatch::policy
