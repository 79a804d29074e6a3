#include "engine/steps/step.hpp"

#include "vmpatch/core/foreign_line.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

Result<void> dispatch(const StepContext& context, const recipe::Step& step) {
  struct Visitor {
    const StepContext& context;
    Result<void> operator()(const recipe::step::Packages& s) const { return apply_packages(context, s); }
    Result<void> operator()(const recipe::step::File& s) const { return apply_file(context, s); }
    Result<void> operator()(const recipe::step::Edit& s) const { return apply_edit(context, s); }
    Result<void> operator()(const recipe::step::Service& s) const { return apply_service(context, s); }
    Result<void> operator()(const recipe::step::Unarchive& s) const { return apply_unarchive(context, s); }
    Result<void> operator()(const recipe::step::Run& s) const { return apply_run(context, s); }
    Result<void> operator()(const recipe::step::Firstboot& s) const { return apply_firstboot(context, s); }
  };
  return std::visit(Visitor{context}, step);
}

constexpr std::size_t most_of_output = 400;  ///< bytes in an error

std::string last_lines(std::string_view output) {
  if (output.size() > most_of_output) {
    output.remove_prefix(output.size() - most_of_output);
    output.remove_prefix(std::min(output.size(), output.find('\n') + 1));
  }
  return escape_untrusted(trim(output));
}

/// What dpkg itself says of its errors, which may stand far above the last lines: "dpkg: …" and the indented lines below each.
std::string errors_of_dpkg(std::string_view output) {
  std::string errors;
  bool inside = false;
  for (const auto line : split(output, '\n')) {
    inside = line.starts_with("dpkg: ") ? !line.starts_with("dpkg: warning") : inside && line.starts_with(' ');
    if (!inside || errors.size() > most_of_output) continue;
    errors += (errors.empty() ? "" : " ") + escape_untrusted(trim(line).substr(0, most_of_output));
  }
  return errors;
}

}  // namespace

Result<void> apply_step(const StepContext& context, const recipe::Step& step) {
  auto done = dispatch(context, step);
  if (!done) return done.error().in(fmt::format("step '{}'", recipe::summarize(step)));
  return done;
}

std::string plain_tar_name(const std::string& payload) { return payload + ".plain-tar"; }

std::map<std::string, std::string> quiet_environment(recipe::Conffiles conffiles) {
  return {{"DEBIAN_FRONTEND", "noninteractive"},
          {"DEBCONF_NONINTERACTIVE_SEEN", "true"},
          {"DEBCONF_NOWARNINGS", "yes"},
          {conffiles == recipe::Conffiles::keep ? "UCF_FORCE_CONFFOLD" : "UCF_FORCE_CONFFNEW", "1"},  // ucf(1)
          {"NEEDRESTART_SUSPEND", "1"},     // needrestart(1)
          {"SYSTEMD_OFFLINE", "1"},         // systemctl(1): never talk to a manager
          {"LC_ALL", "C.UTF-8"}};
}

Result<void> run_in_guest(const StepContext& context, const std::vector<std::string>& argv, Seconds timeout,
                          std::string_view what, recipe::Conffiles conffiles) {
  VMPATCH_TRY(const auto result, context.guest.command(argv, quiet_environment(conffiles), timeout));
  for (const auto line : split(result.output, '\n')) {
    if (!trim(line).empty()) context.log.debug("{}{}", foreign_line, escape_untrusted(line));
  }
  if (result.exit_code != 0) {
    const std::string errors = errors_of_dpkg(result.output);
    return fail(Errc::failed, "{} ended with exit code {}: {}", what, result.exit_code,
                errors.empty() ? last_lines(result.output) : errors + "; last lines: " + last_lines(result.output));
  }
  return {};
}

}  // namespace vmpatch::engine
