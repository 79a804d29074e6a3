#include "engine/step_order.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "engine/archive/contents.hpp"

namespace vmpatch::engine {
namespace {

template <class Step>
bool is_changed_later(const recipe::Recipe& recipe, const recipe::step::File& step) {
  bool behind = false;
  for (const auto& other : recipe.steps) {
    const auto* same_kind = std::get_if<Step>(&other);
    if (behind && same_kind != nullptr && same_kind->path == step.path) return true;
    behind = behind || std::get_if<recipe::step::File>(&other) == &step;
  }
  return false;
}

}  // namespace

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return path == folder || folder == "/" || (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
}

bool is_written_later(const recipe::Recipe& recipe, const recipe::step::File& step) { return is_changed_later<recipe::step::File>(recipe, step); }
bool is_edited_later(const recipe::Recipe& recipe, const recipe::step::File& step) { return is_changed_later<recipe::step::Edit>(recipe, step); }

bool is_removed_before(const recipe::Recipe& recipe, const void* step, std::string_view path) {
  for (const auto& other : recipe.steps) {
    if (std::visit([](const auto& s) { return static_cast<const void*>(&s); }, other) == step) return false;
    const auto* file = std::get_if<recipe::step::File>(&other);
    if (file != nullptr && file->absent && is_at_or_below(path, file->path)) return true;
  }
  return false;
}

Result<bool> is_made_again(const recipe::Recipe& recipe, const recipe::step::File& step, const IsPacked& is_packed) {
  bool behind = false;
  for (const auto& other : recipe.steps) {
    const auto* file = std::get_if<recipe::step::File>(&other);
    const auto* unarchive = std::get_if<recipe::step::Unarchive>(&other);
    if (behind && file != nullptr && !file->absent && is_at_or_below(file->path, step.path)) return true;
    if (behind && unarchive != nullptr) {
      VMPATCH_TRY(const bool packed, is_packed(*unarchive, step.path));
      if (packed) return true;
    }
    behind = behind || file == &step;
  }
  return false;
}

IsPacked packed_in(const recipe::Recipe& recipe, const recipe::PayloadStore& payloads) {
  return [&recipe, &payloads, known = std::make_shared<std::map<std::string, std::vector<ArchiveEntry>>>()](
             const recipe::step::Unarchive& step, const std::string& path) -> Result<bool> {
    if (!is_at_or_below(step.into, path) && !is_at_or_below(path, step.into)) return false;
    if (!known->contains(step.payload)) {
      VMPATCH_TRY(const auto fd, payloads.open_verified(*recipe.find_payload(step.payload)));
      VMPATCH_TRY((*known)[step.payload], list_archive(fd.get(), step.payload));
    }
    const auto& entries = (*known)[step.payload];
    return std::any_of(entries.begin(), entries.end(), [&](const ArchiveEntry& entry) {
      return is_at_or_below((step.into == "/" ? "" : step.into) + "/" + entry.path, path);
    });
  };
}

bool decides_itself(const recipe::Recipe& recipe, const recipe::step::Service& step) {
  bool behind = false;
  for (const auto& other : recipe.steps) {
    const auto* service = std::get_if<recipe::step::Service>(&other);
    if (service == &step) behind = true;
    else if (service != nullptr && service->name == step.name && service->state == recipe::step::UnitState::masked) return false;
    if (!behind && service == nullptr && !std::holds_alternative<recipe::step::Edit>(other)) return false;
  }
  return true;
}

}  // namespace vmpatch::engine
