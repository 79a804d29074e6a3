#include "repository/apt/answer_json.hpp"

#include <algorithm>
#include <array>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::size_t max_rows = 50'000;
constexpr std::size_t max_text = 1024;
constexpr std::int64_t max_bytes = std::int64_t{1} << 40U;  ///< of one package; sums of all stay exact

bool is_alnum(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Of the characters of names, architectures, versions and pool paths.
Result<std::string> word(const Json& json, const char* key, std::string_view others, bool may_be_empty = false) {
  auto text = json.at(key).get<std::string>();
  const bool plain = text.size() <= max_text && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return is_alnum(c) || others.find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (!plain || (text.empty() && !may_be_empty)) return fail(Errc::failed, "'{}' is no {}", escape_untrusted(text), key);
  return text;
}

/// It starts with a letter or digit, so that no program takes it for an option.
Result<std::string> name_at(const Json& json, const char* key, bool may_be_empty = false) {
  VMPATCH_TRY(std::string name, word(json, key, "+-._", may_be_empty));
  if (!name.empty() && !is_alnum(static_cast<unsigned char>(name.front()))) return fail(Errc::failed, "'{}' is no {}", escape_untrusted(name), key);
  return name;
}
Result<std::string> version_at(const Json& json, const char* key, bool may_be_empty) { return word(json, key, "+-.~:", may_be_empty); }

/// The library converts what does not fit.
Result<std::int64_t> number_at(const Json& json, const char* key, std::int64_t least) {
  const Json& value = json.at(key);
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(max_bytes)
                                               : value.is_number_integer() && value.get<std::int64_t>() >= least;
  if (!fits) return fail(Errc::failed, "{} is no number from {} to {}", key, least, max_bytes);
  return value.get<std::int64_t>();
}

Result<std::string> file_at(const Json& json) {
  VMPATCH_TRY(std::string file, word(json, "file", "+-._~:/%=,@"));
  const auto parts = split(file, '/');
  if (std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty() || part == ".."; })) {
    return fail(Errc::failed, "'{}' is no path below a repository", escape_untrusted(file));
  }
  return file;
}

Result<Change> change_from(const Json& row, std::size_t& source) {
  Change change;
  VMPATCH_TRY(change.name, name_at(row, "name"));
  VMPATCH_TRY(change.arch, name_at(row, "arch"));
  VMPATCH_TRY(change.from, version_at(row, "from", true));
  VMPATCH_TRY(change.to, version_at(row, "to", true));
  VMPATCH_TRY(change.because, name_at(row, "because", true));
  row.at("essential").get_to(change.essential);
  if (change.to.empty()) return change;
  row.at("security").get_to(change.security);
  row.at("downgrade").get_to(change.downgrade);
  VMPATCH_TRY(const std::int64_t number, number_at(row, "source", 0));
  source = static_cast<std::size_t>(number);
  VMPATCH_TRY(change.file, file_at(row));
  VMPATCH_TRY(const std::int64_t size, number_at(row, "size", 0));
  change.size = static_cast<std::uint64_t>(size);
  VMPATCH_TRY(change.sha256, Digest::parse(row.at("sha256").get<std::string>()));
  VMPATCH_TRY(change.installed_size, number_at(row, "installed_size", -max_bytes));
  return change;
}

Result<Operation> operation_from(const Json& row) {
  using Kind = Operation::Kind;
  Operation operation;
  const auto kind = row.at("do").get<std::string>();
  constexpr std::array kinds{Kind::unpack, Kind::configure, Kind::remove, Kind::purge};
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](Kind one) { return to_string(one) == kind; });
  if (found == kinds.end()) return fail(Errc::failed, "'{}' is no operation", escape_untrusted(kind));
  operation.kind = *found;
  VMPATCH_TRY(operation.name, name_at(row, "name"));
  VMPATCH_TRY(operation.arch, name_at(row, "arch"));
  return operation;
}

Result<Installed> installed_from(const Json& row) {
  Installed package;
  VMPATCH_TRY(package.name, name_at(row, "name"));
  VMPATCH_TRY(package.arch, name_at(row, "arch"));
  VMPATCH_TRY(package.version, version_at(row, "version", false));
  return package;
}

Result<Kept> kept_from(const Json& row) {
  VMPATCH_TRY(Installed package, installed_from(row));
  Kept kept{std::move(package.name), std::move(package.arch), std::move(package.version), "", "", false};
  row.at("security").get_to(kept.security);
  VMPATCH_TRY(kept.candidate, version_at(row, "candidate", true));
  kept.why = escape_untrusted(row.at("why").get<std::string>().substr(0, max_text));
  return kept;
}

template <class Row, class Read>
Result<std::vector<Row>> rows(const Json& json, const char* key, Read read) {
  const Json& list = json.at(key);
  if (!list.is_array() || list.size() > max_rows) return fail(Errc::failed, "{} is no list of at most {}", key, max_rows);
  std::vector<Row> all;
  for (const Json& row : list) {
    VMPATCH_TRY(Row one, read(row));
    all.push_back(std::move(one));
  }
  return all;
}

Result<RawAnswer> read(const Json& json) {
  if (json.at("schema") != "vm-patch/apt-answer/v1") return fail(Errc::failed, "its schema is another one");
  RawAnswer answer;
  VMPATCH_TRY(answer.update.changes, rows<Change>(json, "changes", [&](const Json& row) {
    answer.sources.push_back(0);
    return change_from(row, answer.sources.back());
  }));
  VMPATCH_TRY(answer.update.operations, rows<Operation>(json, "operations", operation_from));
  VMPATCH_TRY(answer.update.kept, rows<Kept>(json, "kept", kept_from));
  VMPATCH_TRY(answer.update.unknown, rows<Installed>(json, "unknown", installed_from));
  VMPATCH_TRY(answer.update.unneeded, rows<Installed>(json, "unneeded", installed_from));
  return answer;
}

}  // namespace

Result<RawAnswer> parse_answer(std::string_view text) {
  VMPATCH_TRY(const Json json, parse_json(text, "the answer of vm-patch-apt"));
  try {
    return read(json);
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "the answer of vm-patch-apt is incomplete: {}", error.what());
  }
}

}  // namespace vmpatch::repository::apt
