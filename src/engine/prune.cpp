#include "engine/held_machine.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/new_version.hpp"

namespace vmpatch::engine {
namespace {

/// Of machines and images that name it, this one by itself included: why it must stay.
std::vector<std::string> needs(const std::vector<inventory::Machine>& users) {
  std::vector<std::string> reasons;
  for (const auto& user : users) {
    if (!user.bare) reasons.push_back(fmt::format("it is a disk of machine {}", escape_untrusted(user.name)));
    for (const auto* names : {&user.children, &user.possible_children}) {
      for (const auto& name : *names) reasons.push_back(fmt::format("{} stands on it", escape_untrusted(name)));
    }
    reasons.insert(reasons.end(), user.unanswered.begin(), user.unanswered.end());
    if (!user.problem.empty()) reasons.push_back(user.problem);
  }
  return reasons;
}

}  // namespace

Result<std::uint64_t> prune_version(const Environment& environment, const inventory::Machine& machine, const fs::path& path, image::Format format,
                                    const std::string& id) {
  image::OpenPolicy policy;
  policy.allowed_dirs = environment.allowed_dirs;
  VMPATCH_TRY(const auto chain, image::Chain::open(path, format, policy));
  VMPATCH_TRY(const auto identity, chain.identity());
  const auto shown = escape_untrusted(path.string());
  if (image::file_id(identity.front()) != id) return fail(Errc::refused, "{} is another file than the one that vm-patch made there; it stays", shown);
  VMPATCH_TRY(const auto lock, image::ChainLock::acquire(chain, image::Sharing::nobody));
  VMPATCH_CHECK(check_no_run_on(environment, machine, {id, "publish:" + id}));
  VMPATCH_TRY(const auto users, environment.users_of({{path, format}}));
  if (const auto reasons = needs(users); !reasons.empty()) return fail(Errc::refused, "{} stays: {}", shown, fmt::join(reasons, "; "));
  const auto bytes = chain.top().file_size;
  VMPATCH_CHECK(environment.store.audit("template.prune", machine.uuid, {{"path", path.string()}, {"file", id}, {"bytes", bytes}}));
  VMPATCH_CHECK(image::remove_image(path, id));
  return bytes;
}

}  // namespace vmpatch::engine
