#include "advisory/evaluate.hpp"

#include <algorithm>

namespace vmpatch::advisory {
namespace {

bool lists(const std::vector<Text>& sorted, const Version& version) {
  return version.number && std::binary_search(sorted.begin(), sorted.end(), *version.number);
}

}  // namespace

bool Evaluator::at_least(const Version& version, Text bound) const {
  const std::string& text = texts_[bound];
  return text == "0" || compare(version.text, text) >= 0;
}

/// Before every version, also before "0~git1" which a distribution's order puts before "0".
bool Evaluator::is_beginning(const Event& event) const {
  return event.kind == Event::Kind::introduced && texts_[event.version] == "0";
}

bool Evaluator::in_range(const Event* begin, const Event* end, const Version& version) const {
  bool limited = false;
  bool below_limit = false;
  bool vulnerable = false;
  const Event* last = nullptr;  // the latest event that the version has reached; of equal ones the one listed last
  for (const Event* event = begin; event != end; ++event) {
    const std::string& bound = texts_[event->version];
    if (event->kind == Event::Kind::limit) {
      limited = true;
      below_limit = below_limit || bound == "*" || compare(version.text, bound) < 0;
      continue;
    }
    const bool reached = event->kind == Event::Kind::last_affected ? compare(version.text, bound) > 0
                         : event->kind == Event::Kind::introduced  ? at_least(version, event->version)
                                                                   : compare(version.text, bound) >= 0;
    if (!reached) continue;
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
    if (in_range(begin, next, version)) return true;
    begin = next;
  }
  return false;
}

Answer Evaluator::answer(const Statement& statement, const Version& version) const {
  const Answer said = answer_in_stream(statement, version);
  if (statement.module == 0 || said < Answer::not_affected) return said;
  const std::string& stream = texts_[statement.module];
  // The build system of modules puts its name into every release: a package without is of no stream.
  if (version.stream.empty()) return version.text.find(".module") == std::string::npos ? Answer::silent : Answer::investigating;
  if (stream == version.stream) return said;
  // A module without a stream: any of its streams may be meant.
  const bool may_be = stream.find(':') == std::string::npos && version.stream.starts_with(stream + ":");
  return may_be ? Answer::investigating : Answer::silent;
}

Answer Evaluator::answer_in_stream(const Statement& statement, const Version& version) const {
  switch (statement.claim) {
    case Claim::ranges:
      if (lists(statement.versions, version) || in_ranges(statement, version)) return Answer::affected;
      return statement.partial ? Answer::investigating : Answer::not_affected;
    case Claim::inside:
      return lists(statement.versions, version) || in_ranges(statement, version) ? Answer::affected : Answer::silent;
    case Claim::fixed_in: return compare(version.text, texts_[statement.fixed]) < 0 ? Answer::affected : Answer::not_affected;
    case Claim::open:
      return statement.fixed != 0 && compare(version.text, texts_[statement.fixed]) >= 0 ? Answer::not_affected : Answer::affected;
    case Claim::investigating: return Answer::investigating;
    case Claim::not_affected:
      if (statement.versions.empty() && statement.events.empty()) return Answer::not_affected;
      return lists(statement.versions, version) || in_ranges(statement, version) ? Answer::not_affected : Answer::silent;
    case Claim::withdrawn: return Answer::withdrawn;
  }
  return Answer::silent;
}

std::string Evaluator::lowest_fix(const std::vector<const Statement*>& statements, const Version& version) const {
  std::vector<Text> candidates;
  for (const auto* statement : statements) {
    if (statement->claim == Claim::fixed_in) candidates.push_back(statement->fixed);
    if (statement->claim != Claim::ranges && statement->claim != Claim::inside) continue;
    for (const auto& event : statement->events) {
      if (event.kind == Event::Kind::fixed) candidates.push_back(event.version);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  const std::string* best = nullptr;
  for (const auto candidate : candidates) {
    const std::string& text = texts_[candidate];
    if (compare(text, version.text) <= 0 || (best != nullptr && compare(text, *best) >= 0)) continue;
    Version possible = this->version(text);
    possible.stream = version.stream;
    const bool accepted = std::none_of(statements.begin(), statements.end(), [&](const Statement* statement) {
      return answer(*statement, possible) == Answer::affected;
    });
    if (accepted) best = &text;
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
    if (event.kind != Event::Kind::fixed || compare(version.text, bound) < 0) continue;
    if (since == nullptr || compare(bound, *since) > 0) since = &bound;
  }
  return since == nullptr ? "outside of the affected versions" : "fixed since " + *since;
}

}  // namespace vmpatch::advisory
