// Any bytes as an answer of vm-patch-apt: an error, or rows that can be shown, given to dpkg and added up.
#include "repository/apt/answer_json.hpp"

#include "repository_target.hpp"
#include "vmpatch/core/json.hpp"

namespace {

using namespace vmpatch;
using repository::fuzz::require;

void check_name(const std::string& name) {
  require(!name.empty() && name.size() <= 1024 && name.front() != '-' && name.front() != '.');
  require(std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F && c != '/'; }));
}

void check_change(const repository::Change& change) {
  check_name(change.name);
  check_name(change.arch);
  repository::fuzz::require_shown(change.from + change.to + change.because);
  if (change.to.empty()) return;
  require(!change.file.empty() && change.file.front() != '/' && ("/" + change.file + "/").find("/../") == std::string::npos);
  repository::fuzz::require_shown(change.file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto answer = repository::apt::parse_answer(repository::fuzz::text_of(data, size));
  if (!answer) {
    repository::fuzz::require_error(answer.error(), Errc::failed);
    return 0;
  }
  const repository::Update& update = answer->update;
  require(answer->sources.size() == update.changes.size() && update.changes.size() <= 50'000 && update.operations.size() <= 50'000);
  for (const auto& change : update.changes) check_change(change);
  for (const auto& operation : update.operations) check_name(operation.name);
  for (const auto& kept : update.kept) {
    check_name(kept.name);
    repository::fuzz::require_shown(kept.why);
  }
  require(update.installed_size() >= -(std::int64_t{1} << 40U) * 50'000);
  require(dump_json(repository::to_json(update)).find("vm-patch/update/v1") != std::string::npos);
  return 0;
}
