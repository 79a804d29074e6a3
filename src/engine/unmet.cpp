#include "engine/unmet.hpp"

#include "engine/file_questions.hpp"
#include "engine/step_order.hpp"
#include "engine/unit_links.hpp"
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
  Questioner(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts,
             const PlacedScripts& placed)
      : job_(job), recipe_(job.recipe.get()), payloads_(payloads), guest_(guest), facts_(facts), placed_(placed) {}
  Questioner(const Questioner&) = delete;
  Questioner& operator=(const Questioner&) = delete;

  Result<Findings> ask() {
    for (const auto& step : recipe_.steps) {
      auto asked = std::visit([&](const auto& s) { return ask_step(s); }, step);
      findings_.expects_change = false;
      if (!asked) return asked.error().in(fmt::format("step '{}'", recipe::summarize(step)));
    }
    for (const auto& check : recipe_.verify) {
      VMPATCH_CHECK(std::visit([&](const auto& c) { return ask_check(c); }, check));
    }
    return std::move(findings_);
  }

 private:
  void note(bool holds, std::string text) { findings_.note(holds, std::move(text)); }

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

  Result<void> ask_step(const recipe::step::File& step) {
    findings_.expects_change = is_removed_before(recipe_, &step, step.path);
    if (step.absent) {
      VMPATCH_TRY(const bool again, is_made_again(recipe_, step, is_packed_));
      if (again) return files_.ask_replaced(step, is_written_later(recipe_, step));
    }
    if (is_written_later(recipe_, step)) return {};
    if (step.absent) return files_.ask_removed(step);
    recipe::check::File check{step.path, false, std::nullopt, step.mode, step.owner, step.group, step.content};
    if (step.payload) check.sha256 = recipe_.find_payload(*step.payload)->sha256;
    if (is_edited_later(recipe_, step)) {
      check.content.reset();
      check.sha256.reset();
    }
    return files_.ask_written(check);
  }

  Result<void> ask_step(const recipe::step::Edit& step) {
    findings_.expects_change = is_removed_before(recipe_, &step, step.path);
    VMPATCH_TRY(const auto place, files_.find(step.path, guest::LastLink::follow));
    if (!place) return {};
    if (!place->stat) {
      // An earlier step may make it.
      note(false, fmt::format("{} is absent", step.path));
      return {};
    }
    for (const auto& [node, wanted] : step.set) {
      VMPATCH_TRY(const auto value, guest_.augeas_get(place->path, step.lens, node));
      note(value == wanted, fmt::format("{}: {} is {}, wanted '{}'", step.path, node,
                                        value ? "'" + escape_untrusted(*value) + "'" : "not set", wanted));
    }
    for (const auto& node : step.remove) {
      // There may be several: the question is whether the file's own node has any such below it.
      VMPATCH_TRY(const auto any, guest_.augeas_get(place->path, step.lens, any_augeas_node(node)));
      note(!any, fmt::format("{}: {} is {}", step.path, node, any ? "still set" : "not set"));
    }
    return {};
  }

  Result<void> ask_step(const recipe::step::Service& step) {
    VMPATCH_TRY(const auto unit, read_unit(guest_, facts_, step.name));
    const auto why = not_in_state(unit, step.state);
    auto text = unit_text(step.name, step.state, why);
    // What only earlier steps could make true may be true by then.
    if (why && is_out_of_reach(unit, step.state) && decides_itself(recipe_, step)) findings_.refuse(std::move(text));
    else note(!why, std::move(text));
    return {};
  }

  static std::string unit_text(const std::string& name, recipe::step::UnitState state, const std::optional<std::string>& why) {
    return why ? fmt::format("unit {} is not {}: {}", name, word(state), *why) : fmt::format("unit {} is {}", name, word(state));
  }

  Result<void> ask_step(const recipe::step::Unarchive& step) {
    findings_.expects_change = is_removed_before(recipe_, &step, step.into);
    VMPATCH_TRY(const auto fd, payloads_.open_verified(*recipe_.find_payload(step.payload)));
    VMPATCH_TRY(const auto entries, list_archive(fd.get(), step.payload));
    return files_.ask_unpacked(step, entries);
  }

  // What a script did can only be told by the recipe's own checks, which the parser demands.
  Result<void> ask_step(const recipe::step::Run&) { return {}; }

  Result<void> ask_step(const recipe::step::Firstboot& step) {
    if (facts_.init != "systemd") {
      findings_.refuse(fmt::format("{} starts this machine, and a firstboot script needs systemd",
                                   facts_.init.empty() ? "an unknown init system" : escape_untrusted(facts_.init)));
      return {};
    }
    recipe::check::File check;
    check.path = firstboot_script(step);
    check.sha256 = recipe_.find_payload(step.payload)->sha256;
    // A script that ran at the first boot is set aside by the unit; that counts as done where we placed it.
    VMPATCH_TRY(const bool done, firstboot_has_run(guest_, step, *check.sha256));
    if (done && placed_.contains({step.payload, *check.sha256})) {
      note(true, fmt::format("{} has run", check.path));
      return {};
    }
    if (done) note(false, fmt::format("{}.done was left by no run of this machine, and does not count", check.path));
    check.mode = 0755;
    check.owner = "0";
    check.group = "0";
    VMPATCH_CHECK(files_.ask_written(check));
    recipe::check::File unit;  // there is enough: a later version of this program may word it differently
    unit.path = firstboot_unit_path;
    VMPATCH_CHECK(ask_check(unit));
    VMPATCH_TRY(const auto there, look_at(guest_, firstboot_unit_path));
    return there ? ask_check(recipe::check::Service{firstboot_unit, recipe::step::UnitState::enabled}) : Result<void>();
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
    VMPATCH_TRY(const auto unit, read_unit(guest_, facts_, check.name));
    const auto why = not_in_state(unit, check.state);
    note(!why, unit_text(check.name, check.state, why));
    return {};
  }

  Result<void> ask_check(const recipe::check::File& check) { return files_.ask(check); }

  const Job& job_;
  const recipe::Recipe& recipe_;
  const recipe::PayloadStore& payloads_;
  guest::Guest& guest_;
  const guest::Facts& facts_;
  const PlacedScripts& placed_;
  IsPacked is_packed_ = packed_in(recipe_, payloads_);
  Findings findings_;
  FileQuestions files_{guest_, findings_};
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
                                      const guest::Facts& facts, const PlacedScripts& placed) {
  return Questioner(job, payloads, guest, facts, placed).ask();
}

}  // namespace vmpatch::engine
