#include "vmpatch/reading/inspect.hpp"

#include "reading/look.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::reading {
namespace {

struct FactsKind {
  using Value = guest::Facts;
  std::string name;
  static Result<Value> ask(Reading& reading) { return reading.facts(); }
  static std::string to_text(const Value& facts) { return dump_json(guest::to_json(facts)); }
  static Result<Value> from_text(const std::string& text) {
    VMPATCH_TRY(const Json json, parse_json(text, "cached facts"));
    return guest::facts_from_json(json);
  }
};

struct ManagerFilesKind {
  using Value = guest::ManagerFiles;
  std::string name = "manager files";
  static Result<Value> ask(Reading& reading) { return guest::read_manager_files(reading.guest()); }
  static std::string to_text(const Value& files) { return dump_json(guest::to_json(files)); }
  static Result<Value> from_text(const std::string& text) {
    VMPATCH_TRY(const Json json, parse_json(text, "cached files of a package manager"));
    return guest::manager_files_from_json(json);
  }
};

}  // namespace

Result<Inspection> inspect(const Environment& environment, const inventory::Machine& machine, bool fresh) {
  VMPATCH_TRY(auto looked, look(environment, machine, fresh, FactsKind()));
  return Inspection{std::move(looked.value), looked.cached, looked.read};
}

Result<guest::ManagerFiles> inspect_manager_files(const Environment& environment, const inventory::Machine& machine, bool fresh) {
  auto looked = look(environment, machine, fresh, ManagerFilesKind());
  if (!looked) return looked.error().in(fmt::format("the package manager of {}", escape_untrusted(machine.name)));
  return std::move(looked->value);
}

}  // namespace vmpatch::reading
