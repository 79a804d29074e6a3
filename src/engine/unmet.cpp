#include "engine/unmet.hpp"

#include <algorithm>
#include <set>

#include "engine/archive/contents.hpp"
#include "engine/guest_names.hpp"
#include "engine/unit_state.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// An expression for "the file's own node, if any node such as this one is below it".
std::string any_augeas_node(const std::string& node) { return "self::*[" + node + "]"; }

/// Asks one guest, one recipe; collects findings.
class Questioner {
 public:
  Questioner(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts)
      : job_(job), recipe_(job.recipe.get()), payloads_(payloads), guest_(guest), facts_(facts) {}

  Result<Findings> ask() {
    for (const auto& step : recipe_.steps) {
      auto asked = std::visit([&](const auto& s) { return ask_step(s); }, step);
      if (!asked) return asked.error().in(fmt::format("step '{}'", recipe::summarize(step)));
    }
    for (const auto& check : recipe_.verify) {
      VMPATCH_CHECK(std::visit([&](const auto& c) { return ask_check(c); }, check));
    }
    return std::move(findings_);
  }

 private:
  void note(bool holds, std::string text) { (holds ? findings_.held : findings_.unmet).push_back(std::move(text)); }

  Result<void> ask_step(const recipe::step::Packages& step) {
    if (facts_.package_manager != "dpkg") {
      note(false, "the guest has no dpkg database");
      return {};
    }
    const auto selection = plan::select_packages(plan::VersionScheme::deb, recipe_, step, job_.packages, facts_);
    for (const auto& change : selection.changes) {
      note(false, fmt::format("package {} is {}, wanted {}", change.name,
                              change.is_new() ? "not installed" : escape_untrusted(change.from), change.to));
    }
    for (const auto& held : selection.held) {
      note(false, fmt::format("package {} is held at {}, wanted {}", held.name, escape_untrusted(held.from), held.to));
    }
    if (selection.changes.empty() && selection.held.empty()) note(true, fmt::format("packages: {} need no change", step.install.size()));
    return {};
  }

  /// What a later step changes again is that step's to answer.
  template <class Step>
  [[nodiscard]] bool later_step_on(const recipe::step::File& step) const {
    bool behind = false;
    for (const auto& other : recipe_.steps) {
      const auto* same_kind = std::get_if<Step>(&other);
      if (behind && same_kind != nullptr && same_kind->path == step.path) return true;
      behind = behind || std::get_if<recipe::step::File>(&other) == &step;
    }
    return false;
  }

  Result<void> ask_step(const recipe::step::File& step) {
    if (later_step_on<recipe::step::File>(step)) return {};
    recipe::check::File check{step.path, step.absent, std::nullopt, step.mode, step.owner, step.group, step.content};
    if (step.payload) check.sha256 = recipe_.find_payload(*step.payload)->sha256;
    if (later_step_on<recipe::step::Edit>(step)) {
      check.content.reset();
      check.sha256.reset();
    }
    return ask_check(check);
  }

  Result<void> ask_step(const recipe::step::Edit& step) {
    const auto stat = guest_.stat(step.path);
    if (!stat && stat.error().code != Errc::not_found) return stat.error();
    if (!stat) {
      // An earlier step may make it.
      note(false, fmt::format("{} is absent", step.path));
      return {};
    }
    for (const auto& [node, wanted] : step.set) {
      VMPATCH_TRY(const auto value, guest_.augeas_get(step.path, step.lens, node));
      note(value == wanted, fmt::format("{}: {} is {}, wanted '{}'", step.path, node,
                                        value ? "'" + escape_untrusted(*value) + "'" : "not set", wanted));
    }
    for (const auto& node : step.remove) {
      // There may be several: the question is whether the file's own node has any such below it.
      VMPATCH_TRY(const auto any, guest_.augeas_get(step.path, step.lens, any_augeas_node(node)));
      note(!any, fmt::format("{}: {} is {}", step.path, node, any ? "still set" : "not set"));
    }
    return {};
  }

  Result<void> ask_step(const recipe::step::Service& step) {
    return ask_check(recipe::check::Service{step.name, step.state});
  }

  Result<void> ask_step(const recipe::step::Unarchive& step) {
    VMPATCH_TRY(const auto fd, payloads_.open_verified(*recipe_.find_payload(step.payload)));
    VMPATCH_TRY(const auto entries, list_archive(fd.get(), step.payload));
    std::vector<std::string> paths;
    std::vector<const ArchiveEntry*> files;
    for (const auto& entry : entries) {
      if (entry.kind != ArchiveEntry::Kind::regular) continue;
      paths.push_back(step.into + "/" + entry.path);
      files.push_back(&entry);
    }
    VMPATCH_TRY(const auto digests, guest_.digests(paths));
    std::set<std::string> different;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (digests[i] != files[i]->sha256) different.insert(escape_untrusted(paths[i]));
    }
    for (const auto& entry : entries) {
      const auto path = step.into + "/" + entry.path;
      VMPATCH_TRY(const bool same, same_entry(path, entry));
      if (!same) different.insert(escape_untrusted(path));
    }
    constexpr std::size_t most_named = 5;
    const auto end_of_named = std::next(different.begin(), static_cast<std::ptrdiff_t>(std::min(different.size(), most_named)));
    note(different.empty(), fmt::format("{}: {} of {} members of {} are in place{}{}{}", step.into,
                                        entries.size() - different.size(), entries.size(), step.payload,
                                        different.empty() ? "" : "; not ",
                                        fmt::join(different.begin(), end_of_named, ", "),
                                        different.size() > most_named ? ", …" : ""));
    return {};
  }

  Result<bool> same_entry(const std::string& path, const ArchiveEntry& entry) {
    const auto stat = guest_.lstat(path);
    if (!stat && stat.error().code != Errc::not_found) return stat.error();
    if (!stat) return false;
    if (entry.kind != ArchiveEntry::Kind::symlink) {
      const auto kind = entry.kind == ArchiveEntry::Kind::directory ? guest::FileKind::directory : guest::FileKind::regular;
      return stat->kind == kind && stat->mode == entry.mode;
    }
    if (stat->kind != guest::FileKind::symlink) return false;
    VMPATCH_TRY(const auto target, guest_.readlink(path));
    return target == entry.target;
  }

  // What a script did can only be told by the recipe's own checks, which the parser demands.
  Result<void> ask_step(const recipe::step::Run&) { return {}; }

  Result<void> ask_step(const recipe::step::Firstboot& step) {
    recipe::check::File check;
    check.path = firstboot_script(step);
    check.sha256 = recipe_.find_payload(step.payload)->sha256;
    // A script that ran at the first boot is set aside by the unit; that counts as done.
    VMPATCH_TRY(const bool done, firstboot_has_run(guest_, step, *check.sha256));
    if (done) {
      note(true, fmt::format("{} has run", check.path));
      return {};
    }
    VMPATCH_CHECK(ask_check(check));
    recipe::check::File unit;  // there is enough: a later version of this program may word it differently
    unit.path = firstboot_unit_path;
    VMPATCH_CHECK(ask_check(unit));
    return ask_check(recipe::check::Service{firstboot_unit, recipe::step::UnitState::enabled});
  }

  Result<void> ask_check(const recipe::check::Package& check) {
    VMPATCH_TRY(const auto scheme, plan::version_scheme(facts_.package_manager));
    bool found = false;
    for (const auto& package : facts_.packages) {  // there may be one for each architecture
      if (package.name != check.name || !package.installed()) continue;
      found = true;
      note(plan::in_bounds(scheme, package.version, check.bound),
           fmt::format("package {} is {}{}, wanted {}", check.name, package.held() ? "held at " : "", escape_untrusted(package.version),
                       check.bound.text()));
    }
    if (found) return {};
    // An upgrade of a package that this guest does not have is not missing: see plan::select_packages.
    const bool optional = recipe_.applies_to.packages.contains(check.name);
    note(optional, fmt::format("package {} is not installed{}", check.name, optional ? ", nothing to upgrade" : ""));
    return {};
  }

  Result<void> ask_check(const recipe::check::Service& check) {
    VMPATCH_TRY(const auto unit, read_unit(guest_, check.name));
    const bool met = holds(unit, check.state);
    note(met, fmt::format("unit {} is {}{}", check.name, met ? "" : "not ", word(check.state)));
    return {};
  }

  Result<void> ask_check(const recipe::check::File& check) {
    const auto stat = check.absent ? guest_.lstat(check.path) : guest_.stat(check.path);
    if (!stat && stat.error().code != Errc::not_found) return stat.error();
    if (check.absent || !stat) {
      const bool absent = !stat;
      note(absent == check.absent, fmt::format("{} is {}", check.path, absent ? "absent" : "there"));
      return {};
    }
    VMPATCH_CHECK(ask_content(check));
    return ask_attributes(check, *stat);
  }

  Result<void> ask_content(const recipe::check::File& check) {
    auto wanted = check.sha256;
    if (check.content) wanted = sha256(*check.content);
    if (!wanted) return {};
    VMPATCH_TRY(const auto digests, guest_.digests({check.path}));
    const bool same = digests.at(0) == wanted;
    note(same, fmt::format("{} has {} content", check.path, same ? "the wanted" : "other"));
    return {};
  }

  Result<void> ask_attributes(const recipe::check::File& check, const guest::FileStat& stat) {
    if (check.mode) {
      note(stat.mode == *check.mode, fmt::format("{} has mode {:04o}, wanted {:04o}", check.path, stat.mode, *check.mode));
    }
    if (check.owner) {
      VMPATCH_TRY(const auto uid, find_user(guest_, *check.owner));
      note(stat.uid == uid, fmt::format("{} belongs to user {}, wanted {}", check.path, stat.uid, *check.owner));
    }
    if (check.group) {
      VMPATCH_TRY(const auto gid, find_group(guest_, *check.group));
      note(stat.gid == gid, fmt::format("{} belongs to group {}, wanted {}", check.path, stat.gid, *check.group));
    }
    if (!check.mode && !check.owner && !check.group && !check.sha256 && !check.content) {
      note(true, fmt::format("{} is there", check.path));
    }
    return {};
  }

  const Job& job_;
  const recipe::Recipe& recipe_;
  const recipe::PayloadStore& payloads_;
  guest::Guest& guest_;
  const guest::Facts& facts_;
  Findings findings_;
};

}  // namespace

std::string firstboot_script(const recipe::step::Firstboot& step) {
  return "/var/lib/vm-patch/firstboot.d/" + step.payload;
}

Result<bool> firstboot_has_run(guest::Guest& guest, const recipe::step::Firstboot& step, const Digest& script) {
  VMPATCH_TRY(const auto digests, guest.digests({firstboot_script(step) + ".done"}));
  return digests.at(0) == script;
}

Result<Findings> ask_steps_and_checks(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                      const guest::Facts& facts) {
  return Questioner(job, payloads, guest, facts).ask();
}

}  // namespace vmpatch::engine
