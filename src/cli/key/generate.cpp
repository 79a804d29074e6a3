#include "cli/common/output.hpp"
#include "cli/key/key_verbs.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/trust/keys.hpp"

namespace vmpatch::cli {
namespace {

Result<void> refuse_existing(const fs::path& path) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error)))
    return fail(Errc::refused, "key generate: {} exists already and is not overwritten; choose another path",
                path.string());
  return {};
}

}  // namespace

Result<int> generate_key(Context& context, const GenerateOptions& options) {
  VMPATCH_TRY(const trust::KeyType type, trust::parse_key_type(options.type));
  auto public_path = options.path;
  public_path += ".pub";
  VMPATCH_CHECK(refuse_existing(options.path));
  VMPATCH_CHECK(refuse_existing(public_path));
  VMPATCH_TRY(const auto key, trust::PrivateKey::generate(type));
  VMPATCH_TRY(const auto public_key, key.public_key());
  if (options.path.has_parent_path()) VMPATCH_CHECK(make_dirs(options.path.parent_path(), 0700));
  VMPATCH_CHECK(create_file(options.path, key.pem(), 0600));
  if (auto written = create_file(public_path, public_key.pem(), 0644); !written) {
    std::error_code ignored;
    fs::remove(options.path, ignored);  // half a pair would stand in the way of the next try
    return written.error();
  }
  if (context.options.json) {
    Json json;
    json["schema"] = "vm-patch/key/v1";
    json["id"] = public_key.id();
    json["type"] = trust::to_string(type);
    json["private_key"] = options.path.string();
    json["public_key"] = public_path.string();
    print_json(json);
    return 0;
  }
  print_text(fmt::format("private key  {}\npublic key   {}\nkey id       {}\n", options.path.string(),
                         public_path.string(), public_key.id()));
  if (!context.options.quiet)
    context.log.info("to accept its recipes on a host: vm-patch key trust {} --role author", public_path.string());
  return 0;
}

}  // namespace vmpatch::cli
