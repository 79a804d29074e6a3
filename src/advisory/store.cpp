#include "advisory/store.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_aliases = 64;
constexpr std::size_t longest_summary = 300;
constexpr std::size_t most_problems = 20;
constexpr std::size_t most_exploited = 100'000;

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void insert_sorted(std::vector<std::string>& list, const std::string& text) {
  const auto place = std::lower_bound(list.begin(), list.end(), text);
  if (list.size() < most_aliases && (place == list.end() || *place != text)) list.insert(place, text);
}

/// The first line, cut at a character's border.
std::string one_line(std::string_view text) {
  text = trim(text);
  text = trim(text.substr(0, text.find_first_of("\r\n")));
  if (text.size() <= longest_summary) return std::string(text);
  std::size_t end = longest_summary;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace

bool is_cve(std::string_view text) {
  if (!text.starts_with("CVE-") || text.size() > 24) return false;
  const auto dash = text.find('-', 4);
  return dash == 8 && digits(text.substr(4, 4)) && text.size() >= 13 && digits(text.substr(9));
}

bool is_record_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || (c < 0x80 && std::string_view("-_.:+/@~").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

std::uint32_t Store::root(std::uint32_t number) const {
  while (nodes_[number].parent != number) number = nodes_[number].parent;
  return number;
}

std::uint32_t Store::node(const std::string& id) {
  const auto [found, is_new] = names_.try_emplace(id, static_cast<std::uint32_t>(nodes_.size()));
  if (!is_new) return root(found->second);
  Node made;
  made.advisory = std::make_shared<Advisory>();
  made.advisory->id = id;
  made.parent = found->second;
  nodes_.push_back(std::move(made));
  return found->second;
}

void Store::add_alias(std::uint32_t number, const std::string& alias) {
  Advisory& advisory = *nodes_[number].advisory;
  if (alias != advisory.id) insert_sorted(advisory.aliases, alias);
}

void Store::join(std::uint32_t number, const std::string& alias) {
  const std::uint32_t ours = root(number);
  const auto found = names_.find(alias);
  if (found == names_.end()) {
    // A CVE that has not come yet is a vulnerability of its own all the same.
    if (is_cve(alias)) return;
    names_.emplace(alias, ours);
    return add_alias(ours, alias);
  }
  const std::uint32_t theirs = root(found->second);
  if (ours == theirs) return add_alias(ours, alias);
  const bool we_lead = is_cve(nodes_[ours].advisory->id) || !is_cve(nodes_[theirs].advisory->id);
  const std::uint32_t kept = we_lead ? ours : theirs;
  const std::uint32_t lost = we_lead ? theirs : ours;
  if (is_cve(nodes_[lost].advisory->id)) return share(alias, {ours, theirs});
  const Advisory& from = *nodes_[lost].advisory;
  add_alias(kept, from.id);
  for (const auto& name : from.aliases) add_alias(kept, name);
  describe(kept, from.summary, from.published);
  rate(kept, {nodes_[lost].grade, from.severity, from.cvss.value_or(0), from.severity_source});
  nodes_[lost].parent = kept;
  joined_ = true;
}

void Store::share(const std::string& alias, const std::vector<std::uint32_t>& numbers) {
  if (is_cve(alias)) return;
  for (const auto number : numbers) add_alias(root(number), alias);
  shared_[alias].insert(numbers.begin(), numbers.end());
}

std::vector<std::uint32_t> Store::vulnerabilities(const RecordIds& ids) {
  std::vector<std::uint32_t> numbers;
  if (ids.cves.size() > 1) {
    for (const auto& cve : ids.cves) numbers.push_back(node(cve));
    share(ids.record, numbers);
    for (const auto& alias : ids.aliases) share(alias, numbers);
    if (!is_cve(ids.record)) names_.try_emplace(ids.record, numbers.front());
    return numbers;
  }
  const std::uint32_t number = node(ids.cves.empty() ? ids.record : ids.cves.front());
  join(number, ids.record);
  for (const auto& alias : ids.aliases) join(number, alias);
  return {root(number)};
}

void Store::describe(std::uint32_t number, std::string_view summary, std::optional<Time> published) {
  Advisory& advisory = *nodes_[root(number)].advisory;
  if (advisory.summary.empty()) advisory.summary = one_line(summary);
  if (published && (!advisory.published || *published < *advisory.published)) advisory.published = published;
}

void Store::rate(std::uint32_t number, const Rating& rating) {
  Node& node = nodes_[root(number)];
  Advisory& advisory = *node.advisory;
  if (rating.severity == Severity::unknown) return;
  const double best = advisory.cvss.value_or(-1);
  const bool same = rating.grade == node.grade;
  const bool higher = rating.grade == Rating::Grade::cvss ? rating.score > best : rating.severity > advisory.severity;
  if (rating.grade < node.grade || (same && !higher)) return;
  node.grade = rating.grade;
  advisory.severity = rating.severity;
  advisory.severity_source = rating.source;
  if (rating.grade == Rating::Grade::cvss) advisory.cvss = rating.score;
}

Advisory* Store::known(std::string_view id) {
  const auto found = names_.find(id);
  return found == names_.end() ? nullptr : nodes_[root(found->second)].advisory.get();
}

std::vector<std::shared_ptr<const Advisory>> Store::find_all(std::string_view id) const {
  std::string upper(id.substr(0, 200));
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::set<std::uint32_t> roots;
  for (const std::string_view name : {id, std::string_view(upper)}) {
    if (const auto found = names_.find(name); found != names_.end()) roots.insert(root(found->second));
    if (const auto found = shared_.find(name); found != shared_.end()) {
      for (const auto number : found->second) roots.insert(root(number));
    }
  }
  std::vector<std::shared_ptr<const Advisory>> all;
  for (const auto number : roots) all.push_back(nodes_[number].advisory);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
}

namespace {

std::string copy_key(FeedKind kind, std::string_view publisher, std::string_view id) {
  return fmt::format("{}\n{}\n{}", to_string(kind), publisher, id);
}

}  // namespace

std::optional<CopyNumber> Store::begin(FeedKind kind, std::string_view publisher, std::string_view id, const Stamp& stamp) {
  if (stamp == Stamp()) return no_copy;
  if (const auto newer = passed_over_.find(Hash()(copy_key(kind, publisher, id))); newer != passed_over_.end() && stamp.changed < newer->second) return std::nullopt;
  const auto [found, is_new] = copies_.try_emplace(copy_key(kind, publisher, id));
  Copy& copy = found->second;
  if (!is_new && stamp < copy.stamp) return std::nullopt;
  if (!is_new && stamp == copy.stamp) return copy.number;
  if (!is_new) replaced_ = is_replaced_[copy.number] = true;
  copy = {stamp, static_cast<CopyNumber>(is_replaced_.size())};
  is_replaced_.push_back(false);
  return copy.number;
}

void Store::pass_over(std::string_view id, Time changed) {
  Time& newest = passed_over_.try_emplace(Hash()(copy_key(FeedKind::osv, "", id)), changed).first->second;
  newest = std::max(newest, changed);
}

bool Store::has_copy(FeedKind kind, std::string_view publisher, std::string_view id) const {
  return copies_.find(copy_key(kind, publisher, id)) != copies_.end();
}

void Store::drop_replaced() {
  if (!std::exchange(replaced_, false)) return;
  for (auto& [package, statements] : packages_) {
    std::erase_if(statements, [&](const Statement& statement) { return is_replaced_[statement.copy]; });
  }
}

void Store::exploit(Advisory& advisory, const Exploitation& exploitation) {
  advisory.exploited = true;
  advisory.ransomware = advisory.ransomware || exploitation.ransomware;
  if (exploitation.since && (!advisory.exploited_since || *exploitation.since < *advisory.exploited_since)) advisory.exploited_since = exploitation.since;
}

bool Store::exploit(const std::string& cve, const Exploitation& exploitation) {
  if (Advisory* advisory = known(cve)) {
    exploit(*advisory, exploitation);
    return true;
  }
  if (exploited_.size() < most_exploited) exploited_[cve] = exploitation;
  return false;
}

void Store::add(std::string_view package, Statement statement) {
  auto found = packages_.find(package);
  if (found == packages_.end()) found = packages_.emplace(std::string(package), std::vector<Statement>()).first;
  found->second.push_back(std::move(statement));
  unsorted_.emplace(package);
}

void Store::finish() {
  drop_replaced();
  std::erase_if(exploited_, [&](const auto& one) { return known(one.first) != nullptr && exploit(one.first, one.second); });
  if (std::exchange(joined_, false)) {
    for (const auto& [package, statements] : packages_) unsorted_.insert(package);
  }
  for (const auto& package : unsorted_) {
    auto& statements = packages_.find(package)->second;
    for (auto& statement : statements) statement.advisory = root(statement.advisory);
    std::stable_sort(statements.begin(), statements.end(),
                     [](const Statement& a, const Statement& b) { return a.advisory < b.advisory; });
    statements.shrink_to_fit();
  }
  unsorted_.clear();
  std::vector<std::uint32_t> by_id(nodes_.size());
  std::iota(by_id.begin(), by_id.end(), 0U);
  std::sort(by_id.begin(), by_id.end(),
            [&](std::uint32_t a, std::uint32_t b) { return nodes_[a].advisory->id < nodes_[b].advisory->id; });
  for (std::uint32_t i = 0; i < by_id.size(); ++i) nodes_[by_id[i]].order = i;
}

std::span<const Statement> Store::statements(std::string_view package) const {
  const auto found = packages_.find(package);
  return found == packages_.end() ? std::span<const Statement>() : std::span<const Statement>(found->second);
}

void Intake::complain(std::string_view where, std::string_view why) {
  if (state.problems.size() < most_problems) {
    state.problems.push_back(escape_untrusted(where.substr(0, 200)) + ": " + escape_untrusted(why.substr(0, 300)));
  }
}

void Intake::skip(std::string_view where, std::string_view why) {
  ++state.skipped;
  complain(where, why);
}

}  // namespace vmpatch::advisory
