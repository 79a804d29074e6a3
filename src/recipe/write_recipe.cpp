#include <iterator>

#include "recipe/fields.hpp"
#include "recipe/yaml_text.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::recipe {
namespace {

/// {key: value, …} on one line.
class Flow {
 public:
  void add(std::string_view key, std::string_view written) {
    text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", key, written);
  }
  void add(std::string_view key, const std::optional<std::string>& text) {
    if (text) add(key, std::string_view(yaml_scalar(*text)));
  }
  void add_mode(const std::optional<unsigned>& mode) {
    if (mode) add("mode", std::string_view(quote_yaml(mode_text(*mode))));
  }
  [[nodiscard]] std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string list_of(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + yaml_scalar(text);
  return "[" + list + "]";
}

std::string date_of(Time time) {
  auto text = format_time(time);
  return text.ends_with("T00:00:00Z") ? text.substr(0, 10) : text;
}

std::string duration_of(Seconds duration) { return fmt::format("{}s", duration.count()); }

struct WriteStep {
  std::string operator()(const step::Packages& step) const {
    Flow flow;
    flow.add("install", std::string_view(list_of(step.install)));
    flow.add("conffiles", std::string_view(step.conffiles == Conffiles::keep ? "keep" : "replace"));
    return flow.text();
  }
  std::string operator()(const step::File& step) const {
    Flow flow;
    flow.add("path", std::string_view(yaml_scalar(step.path)));
    if (step.content) flow.add("content", std::string_view(quote_yaml(*step.content)));
    flow.add("payload", step.payload);
    if (step.absent) flow.add("absent", std::string_view("true"));
    if (step.folder) flow.add("folder", std::string_view("true"));
    flow.add_mode(step.mode);
    flow.add("owner", step.owner);
    flow.add("group", step.group);
    return flow.text();
  }
  std::string operator()(const step::Edit& step) const {
    Flow flow;
    flow.add("path", std::string_view(yaml_scalar(step.path)));
    if (!step.set.empty()) {
      Flow set;
      for (const auto& [key, value] : step.set) set.add(yaml_scalar(key), std::string_view(quote_yaml(value)));
      flow.add("set", std::string_view(set.text()));
    }
    if (!step.remove.empty()) flow.add("remove", std::string_view(list_of(step.remove)));
    flow.add("lens", std::string_view(yaml_scalar(step.lens)));
    return flow.text();
  }
  std::string operator()(const step::Service& step) const {
    Flow flow;
    flow.add("name", std::string_view(yaml_scalar(step.name)));
    flow.add("state", to_string(step.state));
    return flow.text();
  }
  std::string operator()(const step::Unarchive& step) const {
    Flow flow;
    flow.add("payload", std::string_view(yaml_scalar(step.payload)));
    flow.add("into", std::string_view(yaml_scalar(step.into)));
    return flow.text();
  }
  std::string operator()(const step::Run& step) const {
    Flow flow;
    flow.add("payload", std::string_view(yaml_scalar(step.payload)));
    if (!step.args.empty()) flow.add("args", std::string_view(list_of(step.args)));
    flow.add("timeout", std::string_view(duration_of(step.timeout)));
    return flow.text();
  }
  std::string operator()(const step::Firstboot& step) const {
    Flow flow;
    flow.add("payload", std::string_view(yaml_scalar(step.payload)));
    return flow.text();
  }
};

struct WriteCheck {
  std::string operator()(const check::Package& check) const {
    Flow flow;
    flow.add(yaml_scalar(check.name), std::string_view(quote_yaml(check.bound.text())));
    return "package: " + flow.text();
  }
  std::string operator()(const check::File& check) const {
    Flow flow;
    flow.add("path", std::string_view(yaml_scalar(check.path)));
    if (check.absent) flow.add("absent", std::string_view("true"));
    if (check.sha256) flow.add("sha256", std::string_view(quote_yaml(check.sha256->hex())));
    flow.add_mode(check.mode);
    flow.add("owner", check.owner);
    flow.add("group", check.group);
    if (check.content) flow.add("content", std::string_view(quote_yaml(*check.content)));
    return "file: " + flow.text();
  }
  std::string operator()(const check::Service& check) const {
    Flow flow;
    flow.add("name", std::string_view(yaml_scalar(check.name)));
    flow.add("state", to_string(check.state));
    return "service: " + flow.text();
  }
};

std::string write_applies_to(const AppliesTo& target) {
  Flow os;
  os.add("id", std::string_view(yaml_scalar(target.os_id)));
  if (target.version_id.size() == 1) os.add("version_id", std::string_view(quote_yaml(target.version_id[0])));
  if (target.version_id.size() > 1) os.add("version_id", std::string_view(list_of(target.version_id)));
  std::string text = "applies_to:\n  os: " + os.text() + "\n";
  if (!target.arch.empty()) text += "  arch: " + list_of(target.arch) + "\n";
  if (target.packages.empty()) return text;
  text += "  packages:\n";
  for (const auto& [name, bound] : target.packages)
    text += fmt::format("    {}: {}\n", yaml_scalar(name), quote_yaml(bound.text()));
  return text;
}

std::string write_made_from(const MadeFrom& made) {
  std::string text = fmt::format("made_from:\n  snapshot: \"{}\"\n  suites:\n", made.snapshot.hex());
  for (const auto& suite : made.suites) {
    Flow flow;
    flow.add("repository", std::string_view(yaml_scalar(suite.repository)));
    flow.add("suite", std::string_view(yaml_scalar(suite.suite)));
    flow.add("date", std::string_view(date_of(suite.date)));
    flow.add("signed_file", std::string_view(quote_yaml(suite.signed_file.hex())));
    flow.add("signers", std::string_view(list_of(suite.signers)));
    text += "    - " + flow.text() + "\n";
  }
  return text;
}

}  // namespace

std::string write_recipe(const Recipe& recipe) {
  std::string text =
      fmt::format("schema: {}\nid: {}\nversion: {}\ntitle: {}\nissued: {}\n", recipe_schema, yaml_scalar(recipe.id),
                  recipe.version, yaml_scalar(recipe.title), date_of(recipe.issued));
  if (recipe.expires) text += fmt::format("expires: {}\n", date_of(*recipe.expires));
  text += fmt::format("severity: {}\n", to_string(recipe.severity));
  if (!recipe.fixes.empty()) text += fmt::format("fixes: {}\n", list_of(recipe.fixes));
  text += write_applies_to(recipe.applies_to);
  if (recipe.made_from) text += write_made_from(*recipe.made_from);
  if (!recipe.payloads.empty()) text += "payloads:\n";
  for (const auto& payload : recipe.payloads)
    text += fmt::format("  - {{name: {}, sha256: \"{}\", size: {}}}\n", yaml_scalar(payload.name), payload.sha256.hex(),
                        payload.size);
  text += "steps:\n";
  for (const auto& step : recipe.steps)
    text += fmt::format("  - {}: {}\n", kind_of(step), std::visit(WriteStep{}, step));
  if (!recipe.verify.empty()) text += "verify:\n";
  for (const auto& check : recipe.verify) text += fmt::format("  - {}\n", std::visit(WriteCheck{}, check));
  return text;
}

}  // namespace vmpatch::recipe
