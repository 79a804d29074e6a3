#include <algorithm>

#include "recipe/parse.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::size_t max_content = 1U << 20U;

Result<Step> parse_packages(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Packages step;
  VMPATCH_TRY(const YamlNode install, map.require("install"));
  VMPATCH_TRY(const auto items, install.items());
  if (items.empty()) return install.error("at least one package was expected");
  for (const auto& item : items) {
    VMPATCH_TRY(std::string name, payloads.read(item));
    if (!name.ends_with(".deb")) return item.error("only .deb packages can be installed");
    if (std::find(step.install.begin(), step.install.end(), name) != step.install.end())
      return item.error(fmt::format("package '{}' is listed twice", name));
    step.install.push_back(std::move(name));
  }
  if (const auto conffiles = map.find("conffiles")) {
    VMPATCH_TRY(const std::string word, conffiles->text());
    if (word != "keep" && word != "replace") return conffiles->error("conffiles must be keep or replace");
    step.conffiles = word == "keep" ? Conffiles::keep : Conffiles::replace;
  }
  VMPATCH_CHECK(map.finish());
  return Step(std::move(step));
}

Result<Step> parse_file(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::File step;
  VMPATCH_TRY(const YamlNode path, map.require("path"));
  VMPATCH_TRY(step.path, read_path(path));
  if (const auto content = map.find("content")) {
    VMPATCH_TRY(step.content, content->text());
    if (step.content->size() > max_content) return content->error("content larger than 1 MiB; use a payload");
  }
  if (const auto payload = map.find("payload")) {
    VMPATCH_TRY(step.payload, payloads.read(*payload));
  }
  if (const auto absent = map.find("absent")) {
    VMPATCH_TRY(step.absent, absent->boolean());
    if (!step.absent) return absent->error("absent can only be true; leave it out otherwise");
  }
  if (const auto folder = map.find("folder")) {
    VMPATCH_TRY(step.folder, folder->boolean());
    if (!step.folder) return folder->error("folder can only be true; leave it out otherwise");
    if (!step.absent) return folder->error("folder says that a folder is to be removed: it needs absent");
  }
  if (const auto mode = map.find("mode")) {
    VMPATCH_TRY(step.mode, read_mode(*mode));
  }
  if (const auto owner = map.find("owner")) {
    VMPATCH_TRY(step.owner, read_account(*owner));
  }
  if (const auto group = map.find("group")) {
    VMPATCH_TRY(step.group, read_account(*group));
  }
  VMPATCH_CHECK(map.finish());
  if (int{step.content.has_value()} + int{step.payload.has_value()} + int{step.absent} != 1)
    return node.error("a file step needs exactly one of content, payload and absent");
  if (step.absent && (step.mode || step.owner || step.group))
    return node.error("an absent file has no mode, owner or group");
  return Step(std::move(step));
}

// The keys are path expressions below the file's own tree; nothing in them may lead out of it.
bool is_tree_path(std::string_view key) {
  return is_one_line(key, 1024) && key[0] != '/' && key.find("..") == std::string_view::npos &&
         key.find("::") == std::string_view::npos && key.find('|') == std::string_view::npos &&
         key.find('$') == std::string_view::npos;
}

bool is_lens(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] != '_' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<Step> parse_edit(const YamlNode& node, PayloadUse&) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Edit step;
  VMPATCH_TRY(const YamlNode path, map.require("path"));
  VMPATCH_TRY(step.path, read_path(path));
  VMPATCH_TRY(const YamlNode lens, map.require("lens"));
  VMPATCH_TRY(step.lens, lens.text());
  if (!is_lens(step.lens)) return lens.error("a lens is a name of letters and digits, as sshd");
  if (const auto set = map.find("set")) {
    VMPATCH_TRY(YamlMapping values, YamlMapping::of(*set));
    for (const auto& [key, value] : values.entries()) {
      if (!is_tree_path(key)) return value.error(fmt::format("'{}' leads out of the file", escape_untrusted(key)));
      VMPATCH_TRY(step.set[key], value.text());
    }
  }
  if (const auto remove = map.find("remove")) {
    VMPATCH_TRY(const auto items, remove->items());
    for (const auto& item : items) {
      VMPATCH_TRY(std::string key, item.text());
      if (!is_tree_path(key)) return item.error(fmt::format("'{}' leads out of the file", escape_untrusted(key)));
      step.remove.push_back(std::move(key));
    }
  }
  VMPATCH_CHECK(map.finish());
  if (step.set.empty() && step.remove.empty()) return node.error("an edit step needs set or remove");
  return Step(std::move(step));
}

Result<Step> parse_service(const YamlNode& node, PayloadUse&) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Service step;
  VMPATCH_TRY(const YamlNode name, map.require("name"));
  VMPATCH_TRY(step.name, read_unit(name));
  VMPATCH_TRY(const YamlNode state, map.require("state"));
  VMPATCH_TRY(step.state, read_unit_state(state));
  VMPATCH_CHECK(map.finish());
  return Step(std::move(step));
}

Result<Step> parse_unarchive(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Unarchive step;
  VMPATCH_TRY(const YamlNode payload, map.require("payload"));
  VMPATCH_TRY(step.payload, payloads.read(payload));
  VMPATCH_TRY(const YamlNode into, map.require("into"));
  VMPATCH_TRY(step.into, read_folder(into));
  VMPATCH_CHECK(map.finish());
  return Step(std::move(step));
}

Result<Step> parse_run(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Run step;
  VMPATCH_TRY(const YamlNode payload, map.require("payload"));
  VMPATCH_TRY(step.payload, payloads.read(payload));
  if (const auto args = map.find("args")) {
    VMPATCH_TRY(const auto items, args->items());
    for (const auto& item : items) {
      VMPATCH_TRY(std::string arg, item.text());
      if (arg.find('\0') != std::string::npos) return item.error("an argument cannot hold a zero byte");
      step.args.push_back(std::move(arg));
    }
  }
  if (const auto timeout = map.find("timeout")) {
    VMPATCH_TRY(step.timeout, timeout->duration());
    if (step.timeout > std::chrono::hours(4)) return timeout->error("a step may take at most 4h");
  }
  VMPATCH_CHECK(map.finish());
  return Step(std::move(step));
}

Result<Step> parse_firstboot(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  step::Firstboot step;
  VMPATCH_TRY(const YamlNode payload, map.require("payload"));
  VMPATCH_TRY(step.payload, payloads.read(payload));
  if (step.payload.ends_with(".done")) return payload.error("a firstboot script of that name would never run: '.done' marks those that have run");
  VMPATCH_CHECK(map.finish());
  return Step(std::move(step));
}

struct StepKind {
  std::string_view name;
  Result<Step> (*parse)(const YamlNode&, PayloadUse&);
};
constexpr StepKind step_kinds[] = {{"packages", parse_packages},  {"file", parse_file},           {"edit", parse_edit},
                                   {"service", parse_service},    {"unarchive", parse_unarchive}, {"run", parse_run},
                                   {"firstboot", parse_firstboot}};

}  // namespace

Result<std::string> PayloadUse::read(const YamlNode& node) {
  VMPATCH_TRY(std::string name, node.text());
  if (recipe.find_payload(name) == nullptr)
    return node.error(fmt::format("payload '{}' is not declared under payloads", escape_untrusted(name)));
  used.insert(name);
  return name;
}

Result<Step> parse_step(const YamlNode& node, PayloadUse& payloads) {
  VMPATCH_TRY(const SingleEntry entry, read_single(node, "step"));
  std::vector<std::string_view> known;
  for (const auto& kind : step_kinds) {
    if (kind.name == entry.key) return kind.parse(entry.value, payloads);
    known.push_back(kind.name);
  }
  return node.error(fmt::format("this version knows no step of kind '{}'; it knows: {}", escape_untrusted(entry.key),
                                fmt::join(known, ", ")));
}

}  // namespace vmpatch::recipe
