#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::report {
namespace {

constexpr std::string_view header =
    "machine,uuid,host,status,id,aliases,priority,level,severity,cvss,exploited,epss,package,installed,fixed,binaries,published,reason\r\n";

/// One line of a spreadsheet's cell (RFC 4180 section 2), that it does not take for a formula.
std::string cell(std::string_view text) {
  std::string shown = escape_untrusted(text);
  if (!shown.empty() && std::string_view("=+-@").find(shown.front()) != std::string_view::npos) shown.insert(0, 1, '\'');
  if (shown.find_first_of(",\"") == std::string::npos && trim(shown).size() == shown.size()) return shown;
  std::string quoted = "\"";
  for (const char c : shown) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string row(const std::vector<std::string>& cells) {
  std::string text;
  for (const std::string& one : cells) text += (&one == &cells.front() ? "" : ",") + cell(one);
  return text + "\r\n";
}

std::string number(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : std::string(); }

std::vector<std::string> finding_cells(const MachineScan& machine, const RankedFinding& ranked) {
  const advisory::Finding& finding = ranked.finding;
  const advisory::Advisory& known = *finding.advisory;
  return {machine.full_name(),
          machine.uuid,
          machine.host,
          std::string(advisory::status_word(finding.status)),
          known.id,
          fmt::format("{}", fmt::join(known.aliases, " ")),
          fmt::format("{:.1f}", ranked.priority.score),
          std::string(advisory::to_string(ranked.priority.level)),
          std::string(advisory::to_string(known.severity)),
          number(known.cvss),
          known.exploited ? "yes" : "no",
          number(known.epss),
          finding.package,
          finding.installed,
          finding.fixed,
          fmt::format("{}", fmt::join(finding.binaries, "; ")),
          known.published ? format_time(*known.published) : std::string(),
          finding.reason};
}

class CsvWriter final : public ScanWriter {
 public:
  explicit CsvWriter(Sink sink) : sink_(std::move(sink)) {}
  void begin(const ScanHead&) override { sink_(header); }
  [[nodiscard]] std::string format(const MachineScan& machine) const override {
    std::string text;
    if (machine.problem) {
      std::vector<std::string> cells(18);
      cells[0] = machine.full_name();
      cells[1] = machine.uuid;
      cells[2] = machine.host;
      cells[3] = "unassessable";
      cells[17] = machine.problem->message;
      text = row(cells);
    }
    for (const RankedFinding& ranked : machine.findings) text += row(finding_cells(machine, ranked));
    return text;
  }
  void add(const MachineScan&, std::string_view formatted) override { sink_(formatted); }
  void end() override {}

 private:
  Sink sink_;
};

}  // namespace

std::unique_ptr<ScanWriter> make_csv_writer(Sink sink) { return std::make_unique<CsvWriter>(std::move(sink)); }

}  // namespace vmpatch::report
