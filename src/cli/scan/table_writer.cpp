#include <algorithm>
#include <unordered_set>

#include "cli/common/output.hpp"
#include "cli/scan/findings.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using advisory::Status;
using report::MachineScan;
using report::RankedFinding;

std::string format_priority(double score, advisory::Severity level) {
  return fmt::format("{:5.1f} {}", score, advisory::to_string(level));
}

std::string format_fixed(const advisory::Finding& finding) {
  switch (finding.status) {
    case Status::affected_fixed: return escape_untrusted(finding.fixed);
    case Status::affected_unfixed: return "no fix yet";
    case Status::under_investigation: return "under investigation";
    case Status::not_affected: return "not affected";
  }
  return {};
}

/// KEV, EPSS, and the reason where the status alone says too little.
std::string format_flags(const advisory::Finding& finding) {
  const advisory::Advisory& known = *finding.advisory;
  std::vector<std::string> flags;
  if (known.exploited) flags.emplace_back(known.ransomware ? "KEV (ransomware)" : "KEV");
  if (known.epss) flags.push_back(fmt::format("EPSS {:.2f}%", *known.epss * 100));
  const bool explains = finding.status == Status::not_affected || finding.status == Status::under_investigation;
  if (explains && !finding.reason.empty()) flags.push_back(escape_untrusted(finding.reason));
  return fmt::format("{}", fmt::join(flags, ", "));
}

std::string format_explanation(const std::string& machine, const RankedFinding& ranked) {
  const advisory::Finding& finding = ranked.finding;
  const advisory::Advisory& known = *finding.advisory;
  std::string text = fmt::format("\n{} {} {}: {}, priority {:.1f} ({})\n", machine, escape_untrusted(known.id),
                                 escape_untrusted(finding.package), advisory::to_string(finding.status), ranked.priority.score,
                                 advisory::to_string(ranked.priority.level));
  if (!known.summary.empty()) text += fmt::format("  {}\n", escape_untrusted(known.summary));
  for (const advisory::Factor& factor : ranked.priority.factors) {
    text += fmt::format("  {:<12} {:>4.1f} of {:<3.0f}  {}\n", factor.name, factor.weight, factor.most, factor.value);
  }
  const auto line = [&](std::string_view title, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<12} {}\n", title, escape_untrusted(value));
  };
  line("severity by", known.severity_source);
  line("because", finding.reason);
  line("packages", fmt::format("{}", fmt::join(finding.binaries, ", ")));
  line("also called", fmt::format("{}", fmt::join(known.aliases, ", ")));
  line("told by", fmt::format("{}", fmt::join(finding.sources, ", ")));
  return text;
}

std::string age_of(Time then, Time now) {
  return format_duration(std::max(Seconds(0), std::chrono::duration_cast<Seconds>(now - then)));
}

std::string format_feeds(const std::vector<advisory::FeedState>& states, Time now) {
  Table table({"FEED", "KIND", "AGE", "SHA-256", "RECORDS", "RELEVANT", "WITHDRAWN", "SKIPPED"});
  for (const advisory::FeedState& state : states) {
    table.add_row({escape_untrusted(state.origin), std::string(advisory::to_string(state.kind)), age_of(state.issued.value_or(state.fetched), now),
                   state.digest.hex().substr(0, 12), fmt::format("{}", state.records), fmt::format("{}", state.relevant),
                   fmt::format("{}", state.withdrawn), fmt::format("{}", state.skipped)});
  }
  return table.format();
}

class TableWriter final : public report::ScanWriter {
 public:
  TableWriter(report::Sink sink, bool explain)
      : sink_(std::move(sink)), explain_(explain), machines_({"MACHINE", "SYSTEM", "PACKAGES", "FIX AVAILABLE", "NO FIX", "INVESTIGATED", "NOT AFFECTED", "WORST", "READ"}) {}

  void begin(const report::ScanHead& head) override { head_ = head; }

  void add(const MachineScan& machine, std::string_view) override {
    const std::string name = escape_untrusted(machine.full_name());
    ++total_;
    if (machine.problem) {
      unassessable_.push_back(report::format_problem(machine.full_name(), *machine.problem));
      return;
    }
    for (const RankedFinding& ranked : machine.findings) add_finding(keep(name), ranked);
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += machine.counts[i];
    if (machine.count(Status::affected_fixed) + machine.count(Status::affected_unfixed) > 0) ++affected_;
    const auto count = [&](Status status) { return fmt::format("{}", machine.count(status)); };
    machines_.add_row({name, escape_untrusted(machine.system), fmt::format("{}", machine.packages), count(Status::affected_fixed),
                       count(Status::affected_unfixed), count(Status::under_investigation), count(Status::not_affected),
                       machine.worst ? std::string(advisory::to_string(*machine.worst)) : "-",
                       (machine.read ? format_time(*machine.read) : std::string("-")) + (machine.cached ? " (kept)" : "")});
  }

  void end() override {
    std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.score > b.score; });
    if (!rows_.empty()) {
      format_table({"MACHINE", "PRIORITY", "ID", "PACKAGE", "INSTALLED", "FIXED", "FLAGS"}, rows_.size(),
                   [&](std::size_t i) { return cells_of(rows_[i]); }, sink_);
      if (!explain_) sink_("\n");
    }
    for (const Row& row : rows_) sink_(*row.explanation);
    if (explain_ && !rows_.empty()) sink_("\n");
    if (!machines_.empty()) sink_(machines_.format() + "\n");
    for (const std::string& line : unassessable_) sink_("not assessed: " + line + "\n");
    const auto gaps = report::describe_gaps(head_);
    for (const std::string& gap : gaps) sink_(gap + "\n");
    if (!unassessable_.empty() || !gaps.empty()) sink_("\n");
    sink_(format_feeds(head_.feeds, head_.time) + "\n" + summary(gaps.empty()));
  }

 private:
  /// A fleet has hundreds of thousands of findings, and its clones have the same texts: each is kept once.
  struct Row {
    double score;
    advisory::Severity level;
    const std::string *machine, *id, *package, *installed, *fixed, *flags, *explanation;
  };

  const std::string* keep(std::string text) { return &*texts_.insert(std::move(text)).first; }

  void add_finding(const std::string* machine, const RankedFinding& ranked) {
    const advisory::Finding& finding = ranked.finding;
    rows_.push_back({ranked.priority.score, ranked.priority.level, machine, keep(escape_untrusted(finding.advisory->id)),
                     keep(escape_untrusted(finding.package)), keep(escape_untrusted(finding.installed)), keep(format_fixed(finding)),
                     keep(format_flags(finding)), keep(explain_ ? format_explanation(*machine, ranked) : std::string())});
  }

  static std::vector<std::string> cells_of(const Row& row) {
    return {*row.machine, format_priority(row.score, row.level), *row.id, *row.package, *row.installed, *row.fixed, *row.flags};
  }

  [[nodiscard]] std::string summary(bool is_whole) const {
    const auto count = [&](Status status) { return counts_[static_cast<std::size_t>(status)]; };
    std::string text = fmt::format("{} machine{}, {} affected; findings: {} with a fix, {} without, {} under investigation", total_,
                                   total_ == 1 ? "" : "s", affected_, count(Status::affected_fixed), count(Status::affected_unfixed),
                                   count(Status::under_investigation));
    if (!unassessable_.empty()) text += fmt::format("; {} not assessed", unassessable_.size());
    if (!is_whole) text += "; not the whole answer";
    return text + "\n";
  }

  report::Sink sink_;
  bool explain_;
  report::ScanHead head_;
  Table machines_;
  std::unordered_set<std::string> texts_;  ///< its elements stay where they are
  std::vector<Row> rows_;
  std::vector<std::string> unassessable_;
  std::array<std::size_t, 4> counts_{};
  std::size_t total_ = 0, affected_ = 0;
};

}  // namespace

std::unique_ptr<report::ScanWriter> make_table_writer(report::Sink sink, bool explain) {
  return std::make_unique<TableWriter>(std::move(sink), explain);
}

}  // namespace vmpatch::cli
