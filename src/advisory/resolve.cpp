#include "advisory/resolve.hpp"

#include <algorithm>
#include <array>

#include "vmpatch/core/format.hpp"

namespace vmpatch::advisory {
namespace {

struct Said {
  const Statement* statement;
  const Version* version;
  Answer answer;
};

/// Statements of one rank that say something.
std::vector<Said> of_rank(const std::vector<Said>& all, Rank rank) {
  std::vector<Said> chosen;
  for (const auto& said : all) {
    if (said.statement->rank == rank && said.answer >= Answer::not_affected) chosen.push_back(said);
  }
  return chosen;
}

/// Where a document speaks of exactly the installed version, its statements about other versions do not count.
void prefer_exact(std::vector<Said>& said) {
  std::vector<Text> exact;
  for (const auto& one : said) {
    if (one.statement->claim != Claim::ranges && !one.statement->versions.empty()) exact.push_back(one.statement->record);
  }
  std::erase_if(said, [&](const Said& one) {
    return one.statement->claim == Claim::fixed_in && std::find(exact.begin(), exact.end(), one.statement->record) != exact.end();
  });
}

/// Of the fixed versions of a document, the one of the version's own minor release counts alone.
void prefer_own_release(std::vector<Said>& said, const Evaluator& evaluator) {
  std::vector<Said> settled;
  for (const auto& one : said) {
    if (evaluator.settles(*one.statement, *one.version)) settled.push_back(one);
  }
  std::erase_if(said, [&](const Said& one) {
    return one.statement->claim == Claim::fixed_in && one.answer == Answer::affected && std::any_of(settled.begin(), settled.end(), [&](const Said& other) {
      return other.statement->record == one.statement->record && other.statement->module == one.statement->module && other.version->text == one.version->text;
    });
  });
}

Answer worst_of(const std::vector<Said>& said) {
  Answer worst = Answer::silent;
  for (const auto& one : said) worst = std::max(worst, one.answer);
  return worst;
}

const Said* first_with(const std::vector<Said>& said, Answer answer) {
  const auto found = std::find_if(said.begin(), said.end(), [&](const Said& one) { return one.answer == answer; });
  return found == said.end() ? nullptr : &*found;
}

class Explainer {
 public:
  Explainer(const Evaluator& evaluator, const TextPool& texts) : evaluator_(evaluator), texts_(texts) {}

  [[nodiscard]] Outcome affected(const std::vector<Said>& said) const {
    std::vector<const Statement*> statements;
    const Said* shown = nullptr;
    for (const auto& one : said) {
      const bool better = shown == nullptr || (shown->statement->note == 0 && one.statement->note != 0);
      if (one.answer == Answer::affected && better) shown = &one;
    }
    // Versions of source and binary packages may have nothing in common: bpftool 7.3.0 of kernel 5.14.0.
    for (const auto& one : said) {
      if (one.version->text == shown->version->text) statements.push_back(one.statement);
    }
    Outcome outcome;
    outcome.compared = shown->version->told();
    outcome.fixed = evaluator_.lowest_fix(statements, *shown->version);
    outcome.status = outcome.fixed.empty() ? Status::affected_unfixed : Status::affected_fixed;
    outcome.reason = outcome.fixed.empty() ? "no fixed version is known" : fmt::format("{} is lower than {}", shown->version->told(), outcome.fixed);
    if (shown->statement->note != 0) {
      outcome.reason = outcome.fixed.empty() ? texts_[shown->statement->note] : outcome.reason + "; " + texts_[shown->statement->note];
    }
    name_contradiction(said, *shown, outcome);
    return outcome;
  }

  [[nodiscard]] Outcome investigating(const Said& said) const {
    if (said.statement->claim != Claim::investigating && is_of_unclear_stream(said)) return {Status::under_investigation, "", why_unclear(said)};
    if (said.statement->module != 0 && said.statement->claim != Claim::investigating && said.version->stream != texts_[said.statement->module]) {
      const bool affected = evaluator_.answer_in_stream(*said.statement, *said.version) == Answer::affected;
      return {Status::under_investigation, "",
              fmt::format("{} if it is of the module stream {}, which the machine's package database does not tell", affected ? "affected" : "not affected",
                          texts_[said.statement->module])};
    }
    const Text note = said.statement->claim == Claim::investigating ? said.statement->note : 0;
    return {Status::under_investigation, "", note != 0 ? texts_[note] : "the record's versions are only partly understood"};
  }

  [[nodiscard]] Outcome not_affected(const Said& said) const {
    std::string reason = evaluator_.why_not(*said.statement, *said.version);
    if (said.answer == Answer::withdrawn) reason += " (" + source_name(*said.statement, texts_) + ")";
    return {Status::not_affected, "", std::move(reason)};
  }

 private:
  [[nodiscard]] bool is_of_unclear_stream(const Said& said) const {
    return texts_[said.statement->module] == untold_stream || (said.statement->module == 0 && said.version->is_of_untold_stream());
  }
  [[nodiscard]] std::string why_unclear(const Said& said) const {
    if (said.statement->module == 0) return "the record is on packages of no module stream, and this one's release says that it is of one";
    return "the record does not tell which module stream it is on";
  }

  void name_contradiction(const std::vector<Said>& said, const Said& shown, Outcome& outcome) const {
    const auto* other = first_with(said, Answer::not_affected);
    if (other == nullptr || other->statement->record == shown.statement->record) return;
    outcome.reason += fmt::format("; so says {}, but {} says not affected: {}", source_name(*shown.statement, texts_),
                                  source_name(*other->statement, texts_), evaluator_.why_not(*other->statement, *other->version));
  }

  const Evaluator& evaluator_;
  const TextPool& texts_;
};

}  // namespace

std::string source_name(const Statement& statement, const TextPool& texts) {
  return std::string(to_string(statement.kind)) + ":" + texts[statement.record];
}

std::optional<Outcome> resolve(const std::vector<Application>& applications, const Evaluator& evaluator, const TextPool& texts) {
  std::vector<Said> all;
  all.reserve(applications.size());
  for (const auto& [statement, version] : applications) all.push_back({statement, version, evaluator.answer(*statement, *version)});
  const Explainer explain(evaluator, texts);
  std::optional<Outcome> result;
  for (const Rank rank : std::array{Rank::vex, Rank::tracker, Rank::osv, Rank::general}) {
    std::vector<Said> said = of_rank(all, rank);
    prefer_exact(said);
    prefer_own_release(said, evaluator);
    const Answer worst = worst_of(said);
    if (worst == Answer::affected) return explain.affected(said);
    // "Under investigation" does not settle it: a record of lower rank may know that it is affected.
    if (result || worst == Answer::silent) continue;
    if (worst == Answer::not_affected) return explain.not_affected(*first_with(said, worst));
    result = explain.investigating(*first_with(said, worst));
  }
  if (!result) {
    if (const auto* said = first_with(all, Answer::withdrawn)) return explain.not_affected(*said);
  }
  return result;
}

}  // namespace vmpatch::advisory
