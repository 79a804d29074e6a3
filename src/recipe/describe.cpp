#include <limits>

#include "recipe/fields.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

std::string attributes(const std::optional<unsigned>& mode, const std::optional<std::string>& owner,
                       const std::optional<std::string>& group) {
  std::string text;
  if (mode) text += " mode " + mode_text(*mode);
  if (owner) text += " owner " + *owner;
  if (group) text += " group " + *group;
  return text;
}

struct DescribeStep {
  std::size_t most_packages = std::numeric_limits<std::size_t>::max();  ///< more are told by their number

  std::string operator()(const step::Packages& step) const {
    const std::size_t count = step.install.size();
    const std::string what = count > most_packages ? fmt::format("{} packages", count) : fmt::format("{}", fmt::join(step.install, ", "));
    return fmt::format("install {} ({} conffiles)", what, step.conffiles == Conffiles::keep ? "keep" : "replace");
  }
  std::string operator()(const step::File& step) const {
    if (step.absent && step.folder) return "remove folder " + step.path + " with everything in it";
    if (step.absent) return "remove file " + step.path;
    const auto source = step.payload ? "payload " + *step.payload : format_size(step.content.value_or("").size());
    return fmt::format("write file {} from {}{}", step.path, source, attributes(step.mode, step.owner, step.group));
  }
  std::string operator()(const step::Edit& step) const {
    std::string changes;
    for (const auto& [key, value] : step.set)
      changes += fmt::format("{}set {} to {}", changes.empty() ? "" : ", ", key, value);
    for (const auto& key : step.remove) changes += fmt::format("{}remove {}", changes.empty() ? "" : ", ", key);
    return fmt::format("edit {}: {}", step.path, changes);
  }
  std::string operator()(const step::Service& step) const {
    return fmt::format("service {}: {}", step.name, to_string(step.state));
  }
  std::string operator()(const step::Unarchive& step) const {
    return fmt::format("unpack {} into {}", step.payload, step.into);
  }
  std::string operator()(const step::Run& step) const {
    return fmt::format("run {}{}{} (at most {}s)", step.payload, step.args.empty() ? "" : " ",
                       fmt::join(step.args, " "), step.timeout.count());
  }
  std::string operator()(const step::Firstboot& step) const { return "run at first boot: " + step.payload; }
};

struct DescribeCheck {
  std::string operator()(const check::Package& check) const {
    return fmt::format("package {} {}", check.name, check.bound.text());
  }
  std::string operator()(const check::File& check) const {
    if (check.absent) return fmt::format("file {} is absent", check.path);
    std::string text = fmt::format("file {} exists{}", check.path, attributes(check.mode, check.owner, check.group));
    if (check.sha256) text += " sha256 " + check.sha256->hex();
    if (check.content) text += " with content of " + format_size(check.content->size());
    return text;
  }
  std::string operator()(const check::Service& check) const {
    return fmt::format("service {} is {}", check.name, to_string(check.state));
  }
};

}  // namespace

std::string describe(const Step& step) { return escape_untrusted(std::visit(DescribeStep{}, step)); }
std::string summarize(const Step& step) { return escape_untrusted(std::visit(DescribeStep{3}, step)); }
std::string describe(const Check& check) { return escape_untrusted(std::visit(DescribeCheck{}, check)); }

}  // namespace vmpatch::recipe
