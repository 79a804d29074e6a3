#include "cli/inspect/facts_text.hpp"

#include <algorithm>

#include "cli/common/plan_text.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// Lines of a title and a text; a title without texts is left out.
class Lines {
 public:
  void add(std::string_view title, std::string_view text) { all += fmt::format("  {:<13} {}\n", title, text); }
  void add_each(std::string_view title, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      add(title, text);
      title = "";
    }
  }
  std::string all;
};

std::string known(std::string_view text) { return text.empty() ? "unknown" : escape_untrusted(text); }

std::vector<std::string> kernels_of(const guest::Facts& facts) {
  std::vector<std::string> lines;
  bool found = false;
  for (const auto& kernel : facts.kernels) {
    const bool starts = kernel.version == facts.default_boot.kernel;
    found = found || starts;
    lines.push_back(fmt::format("{}{}{}{}", escape_untrusted(kernel.version), kernel.initrd ? "" : ", no initrd",
                                kernel.modules ? "" : ", no modules",
                                starts ? fmt::format(", starts by default ({})", escape_untrusted(facts.default_boot.source)) : ""));
  }
  if (lines.empty()) lines.emplace_back("none");
  if (facts.default_boot.kernel.empty()) {
    lines.emplace_back("which one starts by default is unknown");
  } else if (!found) {
    lines.push_back(fmt::format("starts by default: {} ({})", escape_untrusted(facts.default_boot.kernel),
                                escape_untrusted(facts.default_boot.source)));
  }
  return lines;
}

std::vector<std::string> mounts_of(const guest::Facts& facts) {
  std::vector<std::string> lines;
  for (const auto& mount : facts.mounts) {
    lines.push_back(fmt::format("{} on {} ({}, {})", escape_untrusted(mount.what), escape_untrusted(mount.where),
                                escape_untrusted(mount.type), escape_untrusted(mount.options)));
  }
  return lines;
}

std::string last_boot_of(const guest::LastBoot& boot) {
  if (!boot.time) return "no trace: it may never have run";
  return fmt::format("{} ({})", format_time(Time(Seconds(*boot.time))), escape_untrusted(boot.source));
}

void add_packages(Lines& lines, const guest::Facts& facts, bool list) {
  const auto installed = std::count_if(facts.packages.begin(), facts.packages.end(), [](const auto& p) { return p.installed(); });
  const auto on_disk = std::count_if(facts.packages.begin(), facts.packages.end(), [](const auto& p) { return p.on_disk(); });
  const std::string half = on_disk == installed ? "" : fmt::format(", {} half done", on_disk - installed);
  lines.add("packages", fmt::format("{} installed{} ({})", installed, half, known(facts.package_manager)));
  std::vector<std::string> held;
  for (const auto& package : facts.packages) {
    if (package.held()) held.push_back(fmt::format("{} {}", escape_untrusted(package.name), escape_untrusted(package.version)));
  }
  lines.add_each("held", held);
  std::vector<std::string> half_done;
  for (const auto& line : facts.half_configured) half_done.push_back(escape_untrusted(line));
  lines.add_each("half-done", half_done);
  if (!list) return;
  for (const auto& package : facts.packages) {
    lines.all += fmt::format("  {} {} {} ({})\n", escape_untrusted(package.name), escape_untrusted(package.version),
                             escape_untrusted(package.arch), escape_untrusted(package.status));
  }
}

}  // namespace

std::string format_facts(const fleet::MachineFacts& about, const guest::Facts& facts, const FactsView& view) {
  Lines lines;
  lines.all = escape_untrusted(full_name(about.machine)) + "\n";
  lines.add("system", fmt::format("{} ({}{}{})", escape_untrusted(facts.os.pretty_name), escape_untrusted(facts.os.id),
                                  facts.os.version_id.empty() ? "" : " ", escape_untrusted(facts.os.version_id)));
  lines.add("architecture", known(facts.arch));
  lines.add_each("kernels", kernels_of(facts));
  lines.add("init", known(facts.init));
  lines.add("machine-id", guest::to_string(facts.identity.machine_id));
  lines.add("cloud-init", guest::to_string(facts.cloud_init));
  lines.add("last ran", last_boot_of(facts.last_boot));
  lines.add_each("mounts", mounts_of(facts));
  if (facts.hibernated) lines.add("hibernated", "yes: its disks must not be written");
  add_packages(lines, facts, view.packages);
  if (view.verbose) {
    lines.add("read by", escape_untrusted(facts.access));
    lines.add("read", about.cached ? fmt::format("{}, disks unchanged since", format_time(about.read)) : "now");
  }
  return std::move(lines.all);
}

}  // namespace vmpatch::cli
