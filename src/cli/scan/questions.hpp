#pragma once
// What else a fleet is asked. Each is answered as a table or as JSON; value: exit code.

#include "cli/scan/make_survey.hpp"

namespace vmpatch::cli {

/// Which machines lack the fix of one vulnerability, or of one of those that an announcement fixes, and which of them the gate would refuse if it were demanded now. 3: some.
Result<int> ask_fix(Context& context, const ScanOptions& options);
/// All versions of a package, and where they are. Needs no feed.
Result<int> ask_package(Context& context, const ScanOptions& options);
/// How far each machine is behind. 3: some are.
Result<int> ask_lag(Context& context, const ScanOptions& options);
/// Machines that did not start for a time.
Result<int> ask_retire(Context& context, const ScanOptions& options);
/// Images that nothing refers to. 1: some were not read.
Result<int> ask_orphans(Context& context, const ScanOptions& options);

struct Answer {
  std::string text;  ///< for people
  Json json;
};
/// Writes one of them, as the options say.
Result<void> tell_answer(const Context& context, const ScanOptions& options, const Answer& answer);

/// "not assessed: NAME: why", a line each; and {"machine", "reason"} or {"path", "reason"}, each. Hosts that did
/// not answer, folders that may not be read and records that were not understood count, too.
class Unassessable {
 public:
  explicit Unassessable(const fleet::Survey& survey);
  void add(const inventory::Machine& machine, const Error& error);
  void add(const inventory::Orphan& orphan, const Error& error);
  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// "unassessable" and "complete".
  void add_to(Json& json) const;
  /// 3 with findings; 1 when nothing can be said about some machine; else 0.
  [[nodiscard]] int exit_code(bool has_findings) const { return has_findings ? 3 : empty() ? 0 : 1; }

 private:
  std::string text_;
  Json json_ = Json::array();
};

/// "3 packages, 41 days"; "-" for nothing.
std::string format_lag(const std::optional<report::Lag>& lag);
/// Of a feed-less survey or a machine that cannot be assessed: nothing.
std::optional<report::Lag> find_lag(const fleet::Survey& survey, const fleet::MachineFacts& machine);

}  // namespace vmpatch::cli
