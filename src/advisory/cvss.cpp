#include "advisory/cvss.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "advisory/cvss4.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t longest_vector = 400;
using Metrics = std::map<std::string_view, std::string_view>;

Error bad(std::string_view vector, std::string_view why) {
  return fail(Errc::failed, "CVSS vector '{}' {}", escape_untrusted(vector.substr(0, 120)), why);
}

Result<Metrics> read_metrics(std::string_view vector, std::string_view fields) {
  Metrics metrics;
  for (const auto field : split(fields, '/')) {
    const auto colon = field.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == field.size()) return bad(vector, "has a field that is not NAME:VALUE");
    if (!metrics.emplace(field.substr(0, colon), field.substr(colon + 1)).second) return bad(vector, "names a metric twice");
  }
  return metrics;
}

struct Value {
  char word;
  double weight;
};

/// The weights of mandatory metrics, asked for one by one; what is missing or unknown is remembered.
class Weights {
 public:
  explicit Weights(const Metrics& metrics) : metrics_(metrics) {}

  double of(std::string_view metric, std::initializer_list<Value> values) {
    const auto found = metrics_.find(metric);
    for (const auto& value : values) {
      if (found != metrics_.end() && found->second.size() == 1 && found->second[0] == value.word) return value.weight;
    }
    complete_ = false;
    return 0;
  }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  const Metrics& metrics_;
  bool complete_ = true;
};

/// Appendix A of the 3.1 specification: rounding up that floating point cannot disturb.
double round_up(double value) {
  const auto scaled = std::llround(value * 100'000);
  if (scaled % 10'000 == 0) return static_cast<double>(scaled) / 100'000;
  return (std::floor(static_cast<double>(scaled) / 10'000) + 1) / 10;
}

Result<double> score_3(std::string_view vector, const Metrics& metrics) {
  Weights weights(metrics);
  const bool changed = weights.of("S", {{'U', 0}, {'C', 1}}) > 0;
  const double attack_vector = weights.of("AV", {{'N', 0.85}, {'A', 0.62}, {'L', 0.55}, {'P', 0.2}});
  const double complexity = weights.of("AC", {{'L', 0.77}, {'H', 0.44}});
  const double privileges = weights.of("PR", {{'N', 0.85}, {'L', changed ? 0.68 : 0.62}, {'H', changed ? 0.5 : 0.27}});
  const double interaction = weights.of("UI", {{'N', 0.85}, {'R', 0.62}});
  double untouched = 1;
  for (const auto* metric : {"C", "I", "A"}) untouched *= 1 - weights.of(metric, {{'H', 0.56}, {'L', 0.22}, {'N', 0}});
  if (!weights.complete()) return bad(vector, "lacks a base metric or has an unknown value");
  const double base = 1 - untouched;
  const double impact = changed ? 7.52 * (base - 0.029) - 3.25 * std::pow(base - 0.02, 15) : 6.42 * base;
  if (impact <= 0) return 0.0;
  const double exploitability = 8.22 * attack_vector * complexity * privileges * interaction;
  return round_up(std::min((changed ? 1.08 : 1.0) * (impact + exploitability), 10.0));
}

Result<double> score_2(std::string_view vector, const Metrics& metrics) {
  Weights weights(metrics);
  const double exploitability = 20 * weights.of("AV", {{'L', 0.395}, {'A', 0.646}, {'N', 1.0}}) *
                                weights.of("AC", {{'H', 0.35}, {'M', 0.61}, {'L', 0.71}}) *
                                weights.of("Au", {{'M', 0.45}, {'S', 0.56}, {'N', 0.704}});
  double untouched = 1;
  for (const auto* metric : {"C", "I", "A"}) untouched *= 1 - weights.of(metric, {{'N', 0}, {'P', 0.275}, {'C', 0.66}});
  if (!weights.complete()) return bad(vector, "lacks a base metric or has an unknown value");
  const double impact = 10.41 * (1 - untouched);
  if (impact == 0) return 0.0;
  return std::round(((0.6 * impact) + (0.4 * exploitability) - 1.5) * 1.176 * 10) / 10;
}

}  // namespace

Severity severity_of_score(double score, std::string_view version) {
  const bool old = version.starts_with("2");
  if (score >= 9.0 && !old) return Severity::critical;
  if (score >= 7.0) return Severity::high;
  if (score >= 4.0) return Severity::medium;
  return score > 0 || old ? Severity::low : Severity::none;
}

Result<BaseScore> base_score(std::string_view vector) {
  if (vector.size() > longest_vector) return bad(vector, "is too long");
  BaseScore result;
  std::string_view fields = vector;
  if (vector.starts_with("CVSS:3.0/") || vector.starts_with("CVSS:3.1/")) {
    result.version = vector.substr(5, 3);
    fields.remove_prefix(9);
    VMPATCH_TRY(const Metrics metrics, read_metrics(vector, fields));
    VMPATCH_TRY(result.score, score_3(vector, metrics));
  } else if (vector.starts_with("CVSS:4.0/")) {
    result.version = "4.0";
    fields.remove_prefix(9);
    VMPATCH_TRY(const Metrics metrics, read_metrics(vector, fields));
    const auto score = base_score_4(metrics);
    if (!score) return bad(vector, "lacks a base metric or has an unknown value");
    result.score = *score;
  } else {
    if (fields.starts_with('(') && fields.ends_with(')')) fields = fields.substr(1, fields.size() - 2);
    result.version = "2.0";
    VMPATCH_TRY(const Metrics metrics, read_metrics(vector, fields));
    VMPATCH_TRY(result.score, score_2(vector, metrics));
  }
  result.severity = severity_of_score(result.score, result.version);
  return result;
}

}  // namespace vmpatch::advisory
