#include "cli/common/output.hpp"
#include "cli/common/progress.hpp"
#include "cli/common/update_text.hpp"
#include "cli/repository/repository_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/repositories.hpp"

namespace vmpatch::cli {
namespace {

using Suites = Result<std::vector<repository::Suite>>;

std::string signers_of(const repository::Suite& suite) {
  std::string all;
  for (const auto& signer : suite.signers) all += (all.empty() ? "" : "\n") + signer.fingerprint.substr(signer.fingerprint.size() - 16) + " " + signer.user;
  return all;
}

std::vector<std::string> row(const std::string& name, const repository::Suite& suite) {
  const std::string until = suite.pinned ? "pinned" : suite.valid_until ? format_time(*suite.valid_until) : "-";
  return {name, suite.suite, format_time(suite.date), until, format_time(suite.fetched), suite.security ? "yes" : "no", signers_of(suite)};
}

/// What `ask` says of each repository; one that fails does not stop the others.
template <class Ask>
Result<int> tell(Context& context, const std::vector<std::string>& names, const char* schema, Ask ask) {
  ProgressDisplay display(context);
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(auto repositories, fleet::Repositories::make(context, policy, display));
  VMPATCH_TRY(const auto sources, repositories.named(names));
  Table table({"REPOSITORY", "SUITE", "MADE", "VALID UNTIL", "FETCHED", "SECURITY", "SIGNED BY"});
  Json entries = Json::array();
  std::optional<Error> failure;
  for (const auto& source : sources) {
    const Suites suites = ask(repositories.port(), source);
    Json entry{{"name", source.name}};
    if (suites) {
      entry["suites"] = Json::array();
      for (const auto& suite : *suites) {
        entry["suites"].push_back(suite_json(suite));
        table.add_row(row(source.name, suite));
      }
    } else {
      failure = failure ? failure : suites.error();
      display.error("{}", suites.error().message);
      entry["error"] = {{"code", to_string(suites.error().code)}, {"message", suites.error().message}};
    }
    entries.push_back(std::move(entry));
  }
  if (context.options.json) {
    print_json({{"schema", schema}, {"repositories", std::move(entries)}});
  } else if (!table.empty()) {
    print_text(table.format());
  }
  return failure ? exit_code(failure->code) : 0;
}

}  // namespace

Result<int> refresh_repositories(Context& context, const NamesOptions& options) {
  return tell(context, options.names, "vm-patch/repository-refresh/v1", [](repository::Repositories& port, const repository::Source& source) { return port.refresh(source); });
}

Result<int> show_repositories(Context& context, const NamesOptions& options) {
  return tell(context, options.names, "vm-patch/repository-states/v1", [](repository::Repositories& port, const repository::Source& source) { return port.load(source); });
}

Result<int> forget_repository(Context& context, const std::string& name) {
  VMPATCH_TRY(auto port, repository::make_apt_repositories({context.paths.state, context.paths.cache, context.paths.scratch}, context.clock, context.log));
  VMPATCH_TRY(const bool known, port->forget(name));
  if (!known) return fail(Errc::not_found, "nothing is remembered of a repository '{}'", escape_untrusted(name));
  if (!context.options.quiet) context.log.info("nothing is remembered of repository {} any more: the next refresh accepts what its server shows, if it is signed", name);
  return 0;
}

}  // namespace vmpatch::cli
