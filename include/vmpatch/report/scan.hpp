#pragma once
// What a scan found, and its forms for programs. A writer gets the machines one by one, so that a fleet's findings need not be
// in memory at the same time.

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/advisory/database.hpp"
#include "vmpatch/advisory/priority.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::report {

/// Of a finding, on one machine.
struct RankedFinding {
  advisory::Finding finding;
  advisory::Priority priority;
};

/// Most urgent first; then by id and package.
std::vector<RankedFinding> rank_findings(std::vector<advisory::Finding> findings, const advisory::Surroundings& surroundings, Time now,
                                         advisory::Detail detail = advisory::Detail::factors);

/// Which findings are told and counted as such. A set of advisory::Status.
class StatusFilter {
 public:
  /// Affected with and without fix, under investigation.
  StatusFilter();
  /// Words: affected (both), a status word of advisory::status_word(), all. Errc::usage.
  static Result<StatusFilter> parse(const std::vector<std::string>& words);
  [[nodiscard]] bool has(advisory::Status status) const { return wanted_[static_cast<std::size_t>(status)]; }

 private:
  std::array<bool, 4> wanted_{};
};

/// How far a machine is behind, by the findings that have a fix.
struct Lag {
  std::size_t packages = 0;         ///< distinct ones, as the feed names them
  std::size_t vulnerabilities = 0;  ///< distinct ones
  std::size_t exploited = 0;        ///< of them in KEV
  /// Age of the oldest missing fix's publication; nothing when there is none or its date is not known.
  std::optional<std::int64_t> days;
};
Lag measure_lag(const std::vector<advisory::Finding>& findings, Time now);
Json to_json(const Lag& lag);

struct MachineScan {
  std::string uuid, name, host;  ///< hostile text
  std::string snapshot;          ///< the machine as it would be at this one; empty: as it is. Hostile text
  [[nodiscard]] std::string full_name() const;
  std::string system;            ///< os-release's PRETTY_NAME; hostile text
  std::optional<Error> problem;  ///< why nothing can be said: the machine is unassessable, never clean
  std::optional<Time> read;      ///< when its disks were read
  bool cached = false;
  std::size_t packages = 0;                  ///< installed ones
  std::array<std::size_t, 4> counts{};       ///< findings by status, those that the filter leaves out too
  std::vector<RankedFinding> findings;       ///< those that the filter leaves, as rank_findings() sorts them
  std::optional<advisory::Severity> worst;   ///< highest level of the affected ones, those that the filter leaves out too
  [[nodiscard]] std::size_t count(advisory::Status status) const { return counts[static_cast<std::size_t>(status)]; }
};

struct ScanHead {
  Time time{};
  std::vector<advisory::FeedState> feeds;
  std::vector<std::string> silent_hosts;  ///< whose machines were asked for and are not known
  std::vector<std::string> unread;        ///< folders whose images were asked for, with the reason; escaped
};
/// What keeps an answer from being whole whatever the machines say, a line each: silent hosts, unread folders, and feeds with
/// records that were not understood, which may be about any machine. Escaped.
std::vector<std::string> describe_gaps(const ScanHead& head);
/// {"schema", "time", "feeds", "silent_hosts", "unread", "incomplete_feeds"}: how every answer begins.
Json head_json(std::string_view schema, const ScanHead& head);

/// Where the text goes, piece by piece.
using Sink = std::function<void(std::string_view)>;

/// begin() once, add() for every machine with what format() made of it, end() once: then the text is whole.
class ScanWriter {
 public:
  virtual ~ScanWriter() = default;
  virtual void begin(const ScanHead& head) = 0;
  /// The costly part, apart from what came before: several threads may call it at the same time.
  [[nodiscard]] virtual std::string format(const MachineScan& /*machine*/) const { return {}; }
  virtual void add(const MachineScan& machine, std::string_view formatted) = 0;
  virtual void end() = 0;
};

/// Schema "vm-patch/scan/v1" (README in src/report), indented by two.
std::unique_ptr<ScanWriter> make_json_writer(Sink sink);
/// RFC 4180 with a header line; unassessable machines are rows with the status "unassessable". A cell that a spreadsheet would
/// take for a formula (= + - @ first) gets a leading apostrophe.
std::unique_ptr<ScanWriter> make_csv_writer(Sink sink);
/// SARIF 2.1.0 (OASIS): one run; rules are vulnerabilities; unassessable machines are notifications of the invocation.
std::unique_ptr<ScanWriter> make_sarif_writer(Sink sink, std::string program_version);

/// {"uuid", "name", "host"}.
Json machine_json(const MachineScan& machine);
/// The problem for people, with the machine's name unless it tells that itself. Escaped.
std::string format_problem(const std::string& machine_name, const Error& problem);

}  // namespace vmpatch::report
