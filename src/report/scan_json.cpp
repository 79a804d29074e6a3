#include <algorithm>

#include "vmpatch/core/json.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::report {
namespace {

/// As it stands `depth` levels deep in a document with an indentation of two. Text in JSON holds no line break.
void append_nested(std::string& text, const Json& json, std::size_t depth) {
  const std::string indent(depth * 2, ' ');
  const std::string plain = dump_json(json, 2);
  for (std::size_t at = 0; at < plain.size();) {
    const std::size_t end = std::min(plain.find('\n', at), plain.size() - 1) + 1;
    text.append(indent).append(plain, at, end - at);
    at = end;
  }
}

std::string dump_nested(const Json& json, std::size_t depth) {
  std::string text;
  append_nested(text, json, depth);
  return text;
}

Json counts_json(const std::array<std::size_t, 4>& counts) {
  using advisory::Status;
  Json json = Json::object();
  for (const Status status : {Status::affected_fixed, Status::affected_unfixed, Status::under_investigation, Status::not_affected}) {
    json[std::string(advisory::status_word(status))] = counts[static_cast<std::size_t>(status)];
  }
  return json;
}

Json finding_json(const RankedFinding& ranked) {
  Json json = advisory::to_json(ranked.finding);
  json["priority"] = advisory::to_json(ranked.priority);
  return json;
}

/// All but the findings.
Json scan_json(const MachineScan& machine) {
  Json json{{"machine", machine_json(machine)}, {"assessed", !machine.problem}};
  json["reason"] = machine.problem ? Json(machine.problem->message) : Json();
  json["system"] = machine.system;
  json["read"] = machine.read ? Json(format_time(*machine.read)) : Json();
  json["cached"] = machine.cached;
  json["packages"] = machine.packages;
  json["counts"] = machine.problem ? Json() : counts_json(machine.counts);
  json["findings"] = Json::array();
  return json;
}

/// Finding by finding: as one document it would be in memory several times.
std::string format_scan(const MachineScan& machine) {
  std::string text = dump_nested(scan_json(machine), 2);
  if (machine.findings.empty()) return text;
  constexpr std::string_view end = "]\n    }";
  text.resize(text.size() - end.size());
  for (const RankedFinding& ranked : machine.findings) {
    text += &ranked == &machine.findings.front() ? "\n" : ",\n";
    append_nested(text, finding_json(ranked), 4);
  }
  return text.append("\n      ").append(end);
}

class JsonWriter final : public ScanWriter {
 public:
  explicit JsonWriter(Sink sink) : sink_(std::move(sink)) {}

  void begin(const ScanHead& head) override {
    is_whole_ = describe_gaps(head).empty();
    std::string text = dump_json(head_json("vm-patch/scan/v1", head), 2);
    text.resize(text.size() - 2);  // the end of the object: "\n}"
    sink_(text + ",\n  \"machines\": [");
  }

  [[nodiscard]] std::string format(const MachineScan& machine) const override { return format_scan(machine); }

  void add(const MachineScan& machine, std::string_view formatted) override {
    sink_(machines_ == 0 ? "\n" : ",\n");
    sink_(formatted);
    ++machines_;
    if (machine.problem) ++unassessable_;
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += machine.counts[i];
  }

  void end() override {
    const Json summary{{"machines", machines_}, {"unassessable", unassessable_}, {"complete", is_whole_ && unassessable_ == 0}, {"counts", counts_json(counts_)}};
    const std::string nested = dump_nested(summary, 1);
    sink_((machines_ == 0 ? "" : "\n  ") + std::string("],\n  \"summary\": ") + nested.substr(2) + "\n}\n");
  }

 private:
  Sink sink_;
  bool is_whole_ = true;
  std::size_t machines_ = 0, unassessable_ = 0;
  std::array<std::size_t, 4> counts_{};
};

}  // namespace

std::unique_ptr<ScanWriter> make_json_writer(Sink sink) { return std::make_unique<JsonWriter>(std::move(sink)); }

}  // namespace vmpatch::report
