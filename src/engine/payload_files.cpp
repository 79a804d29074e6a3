#include "engine/payload_files.hpp"

#include <fcntl.h>

#include <set>

#include "engine/archive/contents.hpp"
#include "engine/steps/step.hpp"

namespace vmpatch::engine {
namespace {

Result<UniqueFd> plain_tar(const recipe::PayloadStore& payloads, const recipe::Payload& payload, const fs::path& work_dir) {
  VMPATCH_TRY(const auto packed, payloads.open_verified(payload));
  const auto path = work_dir / plain_tar_name(payload.sha256.hex());
  UniqueFd out(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return errno_error(errno, path.string());
  VMPATCH_CHECK(write_plain_tar(packed.get(), payload.name, out.get()));
  return out;
}

}  // namespace

Result<std::vector<DiskFile>> payload_files(const Job& job, const recipe::PayloadStore& payloads, const plan::Plan& plan,
                                            const fs::path& work_dir) {
  const auto& recipe = job.recipe.get();
  std::set<std::string> as_they_are;
  std::set<std::string> archives;
  for (const auto& change : plan.packages) as_they_are.insert(change.payload);
  for (const auto& step : recipe.steps) {
    if (const auto* file = std::get_if<recipe::step::File>(&step); file != nullptr && file->payload) as_they_are.insert(*file->payload);
    if (const auto* run = std::get_if<recipe::step::Run>(&step)) as_they_are.insert(run->payload);
    if (const auto* boot = std::get_if<recipe::step::Firstboot>(&step)) as_they_are.insert(boot->payload);
    if (const auto* unarchive = std::get_if<recipe::step::Unarchive>(&step)) archives.insert(unarchive->payload);
  }
  std::vector<DiskFile> files;
  for (const auto& name : as_they_are) {
    VMPATCH_TRY(auto fd, payloads.open_verified(*recipe.find_payload(name)));
    files.push_back({name, std::move(fd)});
  }
  for (const auto& name : archives) {
    VMPATCH_TRY(auto fd, plain_tar(payloads, *recipe.find_payload(name), work_dir));
    files.push_back({plain_tar_name(name), std::move(fd)});
  }
  return files;
}

}  // namespace vmpatch::engine
