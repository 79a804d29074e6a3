#include "plan/dependencies.hpp"

#include "vmpatch/core/text.hpp"

namespace vmpatch::plan {
namespace {

std::optional<recipe::VersionBound::Op> parse_op(std::string_view op) {
  using Op = recipe::VersionBound::Op;
  if (op == "<<") return Op::lt;
  if (op == "<=" || op == "<") return Op::le;  // "<" is the old spelling of "<=" in dpkg
  if (op == "=") return Op::eq;
  if (op == ">=" || op == ">") return Op::ge;
  if (op == ">>") return Op::gt;
  return std::nullopt;
}

std::optional<Relation> parse_relation(std::string_view text) {
  text = trim(text);
  const auto name_end = text.find_first_of(" (:[");
  Relation relation;
  relation.name = std::string(text.substr(0, name_end));
  if (relation.name.empty()) return std::nullopt;
  const auto open = text.find('(');
  if (open == std::string_view::npos) return relation;
  const auto close = text.find(')', open);
  if (close == std::string_view::npos) return std::nullopt;
  const auto inside = trim(text.substr(open + 1, close - open - 1));
  const auto version_start = inside.find_first_not_of("<>=");
  if (version_start == std::string_view::npos) return std::nullopt;
  const auto op = parse_op(inside.substr(0, version_start));
  if (!op) return std::nullopt;
  relation.bound = recipe::VersionBound{*op, std::string(trim(inside.substr(version_start)))};
  return relation;
}

}  // namespace

std::vector<Relations> parse_relations(std::string_view field) {
  std::vector<Relations> all;
  for (const auto entry : split(field, ',')) {
    Relations alternatives;
    for (const auto alternative : split(entry, '|')) {
      if (auto relation = parse_relation(alternative)) alternatives.push_back(std::move(*relation));
    }
    if (!alternatives.empty()) all.push_back(std::move(alternatives));
  }
  return all;
}

std::vector<Relations> relations_of(const recipe::DebPackage& deb, const std::string& field) {
  const auto found = deb.control.find(field);
  return found == deb.control.end() ? std::vector<Relations>() : parse_relations(found->second);
}

bool fits(VersionScheme scheme, const Relation& relation, const std::string& version) {
  return !relation.bound || in_bounds(scheme, version, *relation.bound);
}

bool offers(VersionScheme scheme, const recipe::DebPackage& deb, const Relation& relation) {
  if (deb.name() == relation.name && fits(scheme, relation, deb.version())) return true;
  for (const auto& alternatives : relations_of(deb, "Provides")) {
    for (const auto& offer : alternatives) {
      if (offer.name != relation.name) continue;
      if (!relation.bound || (offer.bound && fits(scheme, relation, offer.bound->version))) return true;
    }
  }
  return false;
}

}  // namespace vmpatch::plan
