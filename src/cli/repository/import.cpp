#include <algorithm>
#include <chrono>

#include "cli/common/output.hpp"
#include "cli/common/output_target.hpp"
#include "cli/repository/fragment.hpp"
#include "cli/repository/make_sources.hpp"
#include "cli/repository/repository_verbs.hpp"
#include "cli/repository/source_json.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t most_output = 32U << 20U;
constexpr std::size_t largest_sources_file = 4U << 20U;
constexpr std::string_view fragment_head =
    "# Made by `vm-patch repository import` of what this host's apt uses. Read it, and paste the entries into vm-patch.yaml.\n"
    "# To another suite that changes often add a max_age, too: it tells a mirror that stood still; see vm-patch.yaml(5).\n";

/// Of apt's messages.
std::string_view first_error(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("E: ")) return line;
  }
  return trim(text);
}

/// `release_words`: what Release files say, of the sources alone that apt has fetched.
Result<std::vector<AptTarget>> ask_apt(bool release_words) {
  Command command;
  command.argv = {"apt-get", "-o", fmt::format("APT::Get::IndexTargets::ReleaseInfo={}", release_words), "indextargets", "Created-By: Packages"};
  command.extra_env["LC_ALL"] = "C";
  command.timeout = std::chrono::minutes(10);  // it may make its cache anew
  command.max_output = most_output;
  const auto output = run(command);
  if (!output && output.error().code == Errc::not_found) {
    return make_error(Errc::not_found, "there is no apt-get on this host, so nothing to import; recipes/repositories has entries to start from");
  }
  if (!output) return output.error();
  if (output->truncated) return fail(Errc::failed, "apt-get indextargets printed more than {}", format_size(most_output));
  if (output->exit_code != 0) {
    // Its messages quote addresses.
    const std::string said = hide_secrets(first_error(output->err));
    return fail(Errc::failed, "apt-get indextargets ended with exit code {}: {}", output->exit_code, escape_untrusted(said));
  }
  return parse_index_targets(output->out);
}

Result<AptEntries> read_entries(const std::vector<AptTarget>& targets) {
  AptEntries entries;
  std::map<std::string, std::string> files;
  for (const AptTarget& target : targets) {
    if (entries.contains({target.entry_file, target.entry})) continue;
    if (!files.contains(target.entry_file)) {
      VMPATCH_TRY(files[target.entry_file], read_file(target.entry_file, largest_sources_file));
    }
    VMPATCH_TRY(entries[std::pair(target.entry_file, target.entry)], parse_apt_entry(files[target.entry_file], target.entry_file, target.entry));
  }
  return entries;
}

Result<guest::OsRelease> read_host() {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    if (const auto text = read_file(path, 1U << 20U)) return guest::parse_os_release(*text);
  }
  return guest::OsRelease{"linux", "", "Linux", ""};  // os-release(5)
}

Result<ImportSettings> make_settings(const ImportOptions& options) {
  ImportSettings settings;
  VMPATCH_TRY(settings.host, read_host());
  if (!options.os_id.empty()) settings.os_id = options.os_id;
  if (!options.release.empty()) settings.version = options.release;
  for (const auto& [origin, file] : {std::pair("Debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
                                     std::pair("Ubuntu", "/usr/share/keyrings/ubuntu-archive-keyring.gpg")}) {
    std::error_code error;
    if (fs::exists(file, error)) settings.keyrings[origin] = file;
  }
  for (const fs::path& file : options.signed_by) {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return fail(Errc::not_found, "--signed-by {}: there is no such file", escape_untrusted(file.string()));
    settings.signed_by.push_back(fs::absolute(file));
  }
  return settings;
}

Result<void> print_result(const Context& context, const ImportOptions& options, const Imported& imported, const std::string& text) {
  if (!options.output.empty()) VMPATCH_CHECK(write_output(options.output, text));
  if (context.options.json) {
    Json json{{"schema", "vm-patch/repository-import/v1"},
              {"output", options.output.empty() ? Json() : Json(options.output.string())},
              {"repositories", Json::array()},
              {"left_out", Json::array()}};
    for (const auto& source : imported.sources) json["repositories"].push_back(source_json(source));
    for (const LeftOut& left : imported.left_out) json["left_out"].push_back({{"source", left.source}, {"reason", left.reason}});
    print_json(json);
  } else if (options.output.empty()) {
    print_text(text);
  } else if (!context.options.quiet) {
    print_text(fmt::format("{}: {} repositories, {} left out\n", options.output.string(), imported.sources.size(), imported.left_out.size()));
  }
  return {};
}

}  // namespace

Result<int> import_repositories(Context& context, const ImportOptions& options) {
  VMPATCH_TRY(const ImportSettings settings, make_settings(options));
  VMPATCH_TRY(auto targets, ask_apt(false));
  if (targets.empty()) return make_error(Errc::not_found, "apt on this host has no sources of packages, see sources.list(5); recipes/repositories has entries to start from");
  VMPATCH_TRY(const auto informed, ask_apt(true));
  add_release_words(targets, informed);
  VMPATCH_TRY(const AptEntries entries, read_entries(targets));
  VMPATCH_TRY(const Imported imported, make_sources(targets, entries, settings));
  for (const LeftOut& left : imported.left_out) context.log.warn("left out: {}: {}", left.source, left.reason);
  if (imported.sources.empty()) return fail(Errc::refused, "none of the {} sources of this host's apt can be carried over", imported.left_out.size());
  const std::string text = std::string(fragment_head) + write_fragment(imported.sources);
  // What the configuration would refuse as a whole must not leave this verb.
  VMPATCH_CHECK(policy::parse_policy("schema: vm-patch/config/v1\n" + text, "what was made of apt's sources"));
  VMPATCH_CHECK(print_result(context, options, imported, text));
  return 0;
}

}  // namespace vmpatch::cli
