#include "advisory/evaluate.hpp"

#include <algorithm>
#include <map>

namespace vmpatch::advisory {

int Evaluator::compare(const Version& version, const std::string& bound, const Statement& statement) const {
  const bool leaves_out = drops_epochs(statement.distribution) && without_zero_epoch(bound).find(':') == std::string_view::npos;
  if (scheme_ != guest::VersionScheme::rpm || (version.has_known_epoch && !leaves_out)) return compare(version.text, bound);
  return compare(std::string(without_epoch(version.text)), std::string(without_epoch(bound)));
}

bool Evaluator::lists(const Statement& statement, const Version& version) const {
  const auto has = [&](const std::optional<Text>& number) {
    return number && std::binary_search(statement.versions.begin(), statement.versions.end(), *number);
  };
  if (has(version.number)) return true;
  if (scheme_ != guest::VersionScheme::rpm) return false;
  if (drops_epochs(statement.distribution) && has(version.number_without_epoch)) return true;
  return !version.has_known_epoch && std::any_of(statement.versions.begin(), statement.versions.end(), [&](Text listed) {
    return without_epoch(texts_[listed]) == version.text;
  });
}

/// Before every version, also before "0~git1" which a distribution's order puts before "0".
bool Evaluator::is_beginning(const Event& event) const {
  return event.kind == Event::Kind::introduced && texts_[event.version] == "0";
}

bool Evaluator::is_reached(const Event& event, const Statement& statement, const Version& version) const {
  const std::string& bound = texts_[event.version];
  if (is_beginning(event)) return true;
  const int order = compare(version, bound, statement);
  return event.kind == Event::Kind::last_affected ? order > 0 : order >= 0;
}

bool Evaluator::in_range(const Event* begin, const Event* end, const Statement& statement, const Version& version) const {
  bool limited = false;
  bool below_limit = false;
  bool vulnerable = false;
  const Event* last = nullptr;  // the latest event that the version has reached; of equal ones the one listed last
  for (const Event* event = begin; event != end; ++event) {
    const std::string& bound = texts_[event->version];
    if (event->kind == Event::Kind::limit) {
      limited = true;
      below_limit = below_limit || bound == "*" || compare(version, bound, statement) < 0;
      continue;
    }
    if (!is_reached(*event, statement, version)) continue;
    const bool later = last == nullptr || is_beginning(*last) || (!is_beginning(*event) && compare(bound, texts_[last->version]) >= 0);
    if (!later) continue;
    last = event;
    vulnerable = event->kind == Event::Kind::introduced;
  }
  return vulnerable && (!limited || below_limit);
}

bool Evaluator::in_ranges(const Statement& statement, const Version& version) const {
  const Event* const end = statement.events.data() + statement.events.size();
  for (const Event* begin = statement.events.data(); begin != end;) {
    const Event* next = std::find_if(begin, end, [&](const Event& event) { return event.range != begin->range; });
    if (in_range(begin, next, statement, version)) return true;
    begin = next;
  }
  return false;
}

Answer Evaluator::answer(const Statement& statement, const Version& version) const {
  const Answer said = answer_in_stream(statement, version);
  if (said < Answer::not_affected) return said;
  if (statement.module == 0 && is_general(statement.distribution)) return said;
  if (version.is_of_untold_stream()) return Answer::investigating;
  if (statement.module == 0) return version.stream.empty() ? said : Answer::silent;
  if (version.stream.empty()) return Answer::silent;
  const std::string& stream = texts_[statement.module];
  if (stream == untold_stream) return Answer::investigating;
  if (stream == version.stream) return said;
  // A module without a stream: any of its streams may be meant.
  const bool may_be = stream.find(':') == std::string::npos && version.stream.starts_with(stream + ":");
  return may_be ? Answer::investigating : Answer::silent;
}

Answer Evaluator::answer_in_stream(const Statement& statement, const Version& version) const {
  switch (statement.claim) {
    case Claim::ranges:
      if (lists(statement, version) || in_ranges(statement, version)) return Answer::affected;
      return statement.partial ? Answer::investigating : Answer::not_affected;
    case Claim::inside:
      return lists(statement, version) || in_ranges(statement, version) ? Answer::affected : Answer::silent;
    case Claim::fixed_in: return compare(version, texts_[statement.fixed], statement) < 0 ? Answer::affected : Answer::not_affected;
    case Claim::open:
      return statement.fixed != 0 && compare(version, texts_[statement.fixed], statement) >= 0 ? Answer::not_affected : Answer::affected;
    case Claim::investigating: return Answer::investigating;
    case Claim::not_affected:
      if (statement.versions.empty() && statement.events.empty()) return Answer::not_affected;
      return lists(statement, version) || in_ranges(statement, version) ? Answer::not_affected : Answer::silent;
    case Claim::withdrawn: return Answer::withdrawn;
  }
  return Answer::silent;
}

namespace {

/// "5.14.0-362.24.1.el9_3" is of "el9_3"; "" for a release without a minor number.
std::string_view minor_release_of(std::string_view version) {
  const auto dot = version.rfind(".el");
  if (dot == std::string_view::npos) return {};
  const auto digits_end = [&](std::size_t from) { return std::min(version.find_first_not_of("0123456789", from), version.size()); };
  const auto major_end = digits_end(dot + 3);
  if (major_end == dot + 3 || major_end == version.size() || version[major_end] != '_') return {};
  const auto minor_end = digits_end(major_end + 1);
  return minor_end == major_end + 1 ? std::string_view() : version.substr(dot + 1, minor_end - dot - 1);
}

}  // namespace

bool Evaluator::settles(const Statement& fix, const Version& version) const {
  if (fix.claim != Claim::fixed_in) return false;
  const std::string& fixed = texts_[fix.fixed];
  const int order = compare(version, fixed, fix);
  const std::string_view minor = minor_release_of(version.text);
  return order == 0 || (order > 0 && !minor.empty() && minor == minor_release_of(fixed));
}

bool Evaluator::is_affected(const std::vector<const Statement*>& statements, const Version& version) const {
  return std::any_of(statements.begin(), statements.end(), [&](const Statement* statement) {
    if (answer(*statement, version) != Answer::affected) return false;
    return statement->claim != Claim::fixed_in || std::none_of(statements.begin(), statements.end(), [&](const Statement* other) {
      return other->record == statement->record && other->module == statement->module && settles(*other, version);
    });
  });
}

std::string Evaluator::lowest_fix(const std::vector<const Statement*>& statements, const Version& version) const {
  std::map<Text, const Statement*> candidates;
  for (const auto* statement : statements) {
    if (statement->claim == Claim::fixed_in) candidates.emplace(statement->fixed, statement);
    if (statement->claim != Claim::ranges && statement->claim != Claim::inside) continue;
    for (const auto& event : statement->events) {
      if (event.kind == Event::Kind::fixed) candidates.emplace(event.version, statement);
    }
  }
  const std::string* best = nullptr;
  for (const auto& [candidate, source] : candidates) {
    const std::string& text = texts_[candidate];
    if (compare(version, text, *source) >= 0 || (best != nullptr && compare(text, *best) >= 0)) continue;
    Version possible = this->version(text);
    possible.stream = version.stream;
    possible.has_known_epoch = version.has_known_epoch;
    if (!is_affected(statements, possible)) best = &text;
  }
  return best == nullptr ? std::string() : *best;
}

std::string Evaluator::why_not(const Statement& statement, const Version& version) const {
  if (statement.claim == Claim::fixed_in) return "fixed since " + texts_[statement.fixed];
  if (statement.claim == Claim::open) return "fixed in the development release since " + texts_[statement.fixed];
  if (statement.claim == Claim::withdrawn) return "withdrawn on " + texts_[statement.note];
  if (statement.claim != Claim::ranges) return statement.note == 0 ? "said to be not affected" : texts_[statement.note];
  const std::string* since = nullptr;
  for (const auto& event : statement.events) {
    const std::string& bound = texts_[event.version];
    if (event.kind != Event::Kind::fixed || compare(version, bound, statement) < 0) continue;
    if (since == nullptr || compare(bound, *since) > 0) since = &bound;
  }
  return since == nullptr ? "outside of the affected versions" : "fixed since " + *since;
}

}  // namespace vmpatch::advisory
