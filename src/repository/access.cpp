#include "repository/access.hpp"

#include "vmpatch/core/file.hpp"

namespace vmpatch::repository {
namespace {

constexpr std::uint64_t max_pem = 1U << 20U;

Result<std::string> read_pem(const fs::path& file) {
  if (file.empty()) return std::string();
  return read_file(file, max_pem);
}

}  // namespace

Result<fetch::Access> make_access(const Source& source) {
  fetch::Access access;
  access.proxy = source.proxy;
  VMPATCH_TRY(access.client_certificate, read_pem(source.client_certificate));
  VMPATCH_TRY(access.client_key, read_pem(source.client_key));
  VMPATCH_TRY(access.ca, read_pem(source.ca));
  access.allow_http = true;
  return access;
}

}  // namespace vmpatch::repository
