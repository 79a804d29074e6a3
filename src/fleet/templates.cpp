#include "vmpatch/fleet/templates.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

using inventory::Machine;
using ledger::Run;

bool published(const Run& run) { return run.state == ledger::RunState::attested && run.detail.value("strategy", std::string()) == "publish"; }

Result<std::vector<Run>> publications(EngineSetup& setup, const Machine& machine) {
  ledger::RunFilter filter;
  filter.machine_uuid = machine.uuid;
  VMPATCH_TRY(auto runs, setup.store().runs(filter));
  std::erase_if(runs, [](const Run& run) { return !published(run); });
  std::reverse(runs.begin(), runs.end());
  return runs;
}

Json member(const Json& json, const char* key) { return json.is_object() && json.contains(key) ? json.at(key) : Json(); }

std::string text(const Json& json, const char* key) {
  const Json found = member(json, key);
  return found.is_string() ? found.get<std::string>() : std::string();
}

Json versions_in(const Run& run) {
  Json list = member(run.detail, "versions");
  return list.is_array() ? list : Json::array();
}

std::map<std::string, fs::path> files_in(const Run& run, const char* which) {
  std::map<std::string, fs::path> files;
  for (const Json& entry : versions_in(run)) files[text(entry, "target")] = text(entry, which);
  return files;
}

bool has(const Machine& machine, const std::map<std::string, fs::path>& files) {
  return !files.empty() && std::all_of(files.begin(), files.end(), [&](const auto& file) {
    return std::any_of(machine.disks.begin(), machine.disks.end(),
                       [&](const auto& disk) { return disk.target == file.first && disk.source && *disk.source == file.second; });
  });
}

TemplateVersion version_of(const Run& run, const TemplateVersion& made_from) {
  TemplateVersion version;
  version.files = made_from.files;
  version.formats = made_from.formats;
  for (const Json& entry : versions_in(run)) {
    const auto target = text(entry, "target");
    version.files[target] = text(entry, "to");
    version.ids[target] = text(entry, "id");
    version.formats[target] = image::parse_format(text(entry, "format")).value_or(image::Format::raw);
  }
  version.since = run.created;
  version.run_id = run.id;
  version.recipe = fmt::format("{} v{}", run.recipe_id, run.recipe_version);
  const Json packages = member(member(member(run.detail, "report"), "plan"), "packages");
  version.packages = packages.is_array() ? packages.size() : 0;
  return version;
}

/// What there was before anything was published: what the machine has, and of each disk that a run changed what the first such found.
TemplateVersion first_of(const std::vector<Run>& runs, const Machine& machine) {
  TemplateVersion version;
  for (const auto& disk : machine.disks) {
    if (!disk.is_drive() || disk.read_only || !disk.source) continue;
    version.files[disk.target] = *disk.source;
    if (disk.format) version.formats[disk.target] = image::parse_format(*disk.format).value_or(image::Format::raw);
  }
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (!published(*run) || run->kind != "apply") continue;
    for (const Json& entry : versions_in(*run)) {
      version.files[text(entry, "target")] = text(entry, "from");
      version.formats[text(entry, "target")] = image::parse_format(text(entry, "format")).value_or(image::Format::raw);
    }
  }
  return version;
}

bool contains(const TemplateVersion& version, const std::map<std::string, fs::path>& files) {
  return !files.empty() && std::all_of(files.begin(), files.end(), [&](const auto& file) {
    const auto found = version.files.find(file.first);
    return found != version.files.end() && found->second == file.second;
  });
}

/// The number of the newest version that has these files; 0 = none has.
std::size_t number_of(const std::vector<TemplateVersion>& versions, const std::map<std::string, fs::path>& files) {
  const auto found = std::find_if(versions.rbegin(), versions.rend(), [&](const TemplateVersion& version) { return contains(version, files); });
  return found == versions.rend() ? 0 : found->number;
}

void look_at_files(TemplateVersion& version) {
  version.there = false;
  for (const auto& [target, path] : version.files) {
    struct stat info {};
    if (!version.is_own(target) || ::stat(path.c_str(), &info) != 0) continue;
    version.there = true;
    version.bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
}

std::vector<inventory::BareImage> images_of(const std::vector<Template>& all) {
  std::vector<inventory::BareImage> images;
  for (const auto& one : all) {
    for (const auto& version : one.versions) {
      for (const auto& [target, path] : version.files) {
        std::error_code error;
        const auto format = version.formats.find(target);
        if (version.is_own(target) && format != version.formats.end() && fs::exists(path, error)) images.push_back({path, format->second});
      }
    }
  }
  return images;
}

/// A file that the current version has, too, is that one's.
void add_clones(TemplateVersion& version, const TemplateVersion* current, const Machine& user) {
  const bool has_one = std::any_of(version.files.begin(), version.files.end(), [&](const auto& file) {
    if (!version.current && current != nullptr && current->files.contains(file.first) && current->files.at(file.first) == file.second) return false;
    return (version.current || version.is_own(file.first)) && std::any_of(user.disks.begin(), user.disks.end(), [&](const auto& disk) { return disk.source && *disk.source == file.second; });
  });
  if (!has_one) return;
  for (const auto* names : {&user.children, &user.possible_children}) {
    for (const auto& name : *names) {
      if (std::find(version.clones.begin(), version.clones.end(), name) == version.clones.end()) version.clones.push_back(name);
    }
  }
}

/// All at once: it reads every machine of this computer.
Result<void> look_at_clones(EngineSetup& setup, std::vector<Template>& all) {
  const auto images = images_of(all);
  if (images.empty()) return {};
  VMPATCH_TRY(const auto users, setup.environment().users_of(images));
  for (auto& one : all) {
    for (auto& version : one.versions) {
      for (const auto& user : users) add_clones(version, one.current(), user);
    }
  }
  return {};
}

}  // namespace

std::vector<TemplateVersion> versions_from(const std::vector<Run>& runs, const Machine& machine) {
  std::vector<TemplateVersion> versions{first_of(runs, machine)};
  for (const Run& run : runs) {
    if (!published(run) || run.kind != "apply" || versions_in(run).empty()) continue;
    const auto from = number_of(versions, files_in(run, "from"));
    versions.push_back(version_of(run, versions[from == 0 ? versions.size() - 1 : from - 1]));
    versions.back().number = versions.size();
  }
  for (auto& version : versions) version.current = has(machine, version.files);
  return versions;
}

std::optional<std::string> run_between(const std::vector<Run>& runs, const Machine& machine, bool older) {
  const auto versions = versions_from(runs, machine);
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    const auto to = files_in(*run, "to");
    const auto from_number = number_of(versions, files_in(*run, "from"));
    const auto to_number = number_of(versions, to);
    if (published(*run) && has(machine, to) && from_number > 0 && (older ? from_number < to_number : from_number > to_number)) return run->id;
  }
  return std::nullopt;
}

const TemplateVersion* Template::current() const {
  const auto found = std::find_if(versions.begin(), versions.end(), [](const auto& version) { return version.current; });
  return found == versions.end() ? nullptr : &*found;
}

std::size_t Template::packages_behind(const TemplateVersion& version) const {
  const auto* newest = current();
  std::size_t packages = 0;
  for (const auto& other : versions) {
    if (newest != nullptr && other.number > version.number && other.number <= newest->number) packages += other.packages;
  }
  return packages;
}

std::optional<Time> Template::stale_since(const TemplateVersion& version) const {
  const auto* newest = current();
  if (newest == nullptr || newest->number <= version.number) return std::nullopt;
  return versions[version.number].since;
}

Result<std::vector<Template>> find_templates(EngineSetup& setup, const std::vector<Machine>& machines) {
  std::vector<Template> all;
  for (const Machine& machine : machines) {
    if (machine.bare || !machine.local) continue;
    VMPATCH_TRY(const auto runs, publications(setup, machine));
    if (runs.empty() && !machine.is_template && !inventory::must_publish(machine)) continue;
    Template one{machine, versions_from(runs, machine)};
    for (auto& version : one.versions) look_at_files(version);
    all.push_back(std::move(one));
  }
  VMPATCH_CHECK(look_at_clones(setup, all));
  return all;
}

Result<std::string> run_to_roll_back(EngineSetup& setup, const Machine& machine, bool older) {
  VMPATCH_TRY(auto runs, publications(setup, machine));
  if (const auto run = run_between(runs, machine, older)) return *run;
  return fail(Errc::refused, "machine {}: there is no {} version of it that vm-patch {}; 'vm-patch template show -d NAME' lists them", escape_untrusted(machine.name),
              older ? "older" : "newer", older ? "published another one over" : "took back");
}

std::vector<const TemplateVersion*> prunable(const Template& one, std::size_t keep) {
  std::vector<const TemplateVersion*> found;
  std::size_t kept = 0;
  for (auto version = one.versions.rbegin(); version != one.versions.rend(); ++version) {
    if (version->current || !version->there) continue;
    if (kept < keep) {
      ++kept;
      continue;
    }
    if (version->clones.empty() && !version->run_id.empty()) found.push_back(&*version);
  }
  return found;
}

}  // namespace vmpatch::fleet
