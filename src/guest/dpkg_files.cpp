#include "vmpatch/guest/dpkg_files.hpp"

#include <charconv>

#include "guest/optional_files.hpp"
#include "guest/package_list.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_list = 16U << 20U;
constexpr std::size_t max_path = 4096;
constexpr std::size_t md5_digits = 32;
constexpr const char* info = "/var/lib/dpkg/info/";

/// Without empty, "." and ".." parts.
bool is_normal(std::string_view path) {
  if (path.size() < 2 || path.size() > max_path || path.front() != '/' || path.find('\0') != std::string_view::npos) return false;
  for (const auto part : split(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

std::string shown(std::string_view line) { return escape_untrusted(line.substr(0, 80)); }

/// Calls `each` with every line and its number; what it says gets the number before it.
template <class Each>
Result<void> for_each_line(std::string_view text, const Each& each) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    if (number > max_listed_files) return fail(Errc::failed, "line {}: more than {} lines", number, max_listed_files);
    const auto end = text.find('\n');
    if (auto done = each(text.substr(0, end)); !done) return done.error().in(fmt::format("line {}", number));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return {};
}

std::string_view without_final_slash(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

/// As dpkg takes it: "usr/bin/x", "./usr/bin/x", "/usr/bin/x".
std::string absolute(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  if (path.starts_with('/')) path.remove_prefix(1);
  return "/" + std::string(without_final_slash(path));
}

void add_conffiles(std::string_view text, std::set<std::string>& conffiles) {
  for (const auto line : split(text, '\n')) {
    if (is_normal(line)) conffiles.insert(std::string(line));
  }
}

/// Of a package that may have one copy for each architecture: libc6:amd64.list, else libc6.list.
Result<std::optional<std::string>> read_info(Guest& guest, const Package& package, std::string_view kind) {
  const auto plain = info + package.name + "." + std::string(kind);
  const auto qualified = info + package.name + ":" + package.arch + "." + std::string(kind);
  VMPATCH_TRY(auto text, read_if_there(guest, qualified, max_list));
  VMPATCH_TRY(const bool has_plain, exists(guest, plain));
  if (text && has_plain) {
    return fail(Errc::failed, "{} and {}: there are two for one package", escape_untrusted(qualified), escape_untrusted(plain));
  }
  return text ? Result<std::optional<std::string>>(std::move(text)) : read_if_there(guest, plain, max_list);
}

Error missing(const Package& package, std::string_view kind) {
  return fail(Errc::not_found, "{}{}.{} is missing", info, escape_untrusted(package.name), kind);
}

Error malformed(const Error& error, const Package& package, std::string_view kind) {
  return error.in(fmt::format("{}{}.{}", info, escape_untrusted(package.name), kind));
}

}  // namespace

Result<std::map<std::string, Md5Digest>> parse_md5sums(std::string_view text) {
  std::map<std::string, Md5Digest> sums;
  VMPATCH_CHECK(for_each_line(text, [&](std::string_view line) -> Result<void> {
    if (line.size() < md5_digits + 3 || line.substr(md5_digits, 2) != "  ") {
      return fail(Errc::failed, "expected \"MD5, two blanks, path\", found {}", shown(line));
    }
    VMPATCH_TRY(const auto digest, Md5Digest::parse(line.substr(0, md5_digits)));
    auto path = absolute(line.substr(md5_digits + 2));
    if (!is_normal(path)) return fail(Errc::failed, "{} is no normal path", shown(path));
    if (const auto [entry, is_new] = sums.emplace(std::move(path), digest); !is_new) {
      return fail(Errc::failed, "{} comes twice", shown(entry->first));
    }
    return {};
  }));
  return sums;
}

Result<std::set<std::string>> parse_file_list(std::string_view text) {
  std::set<std::string> files;
  VMPATCH_CHECK(for_each_line(text, [&](std::string_view line) -> Result<void> {
    if (line == "/.") return {};
    const auto path = without_final_slash(line);
    if (!is_normal(path)) return fail(Errc::failed, "{} is no normal path", shown(line));
    files.insert(std::string(path));
    return {};
  }));
  return files;
}

Result<std::map<std::string, Diversion>> parse_diversions(std::string_view text) {
  std::map<std::string, Diversion> diversions;
  std::set<std::string> targets;
  std::vector<std::string> triple;
  VMPATCH_CHECK(for_each_line(text, [&](std::string_view line) -> Result<void> {
    if (triple.size() < 2 ? !is_normal(line) : line.empty() || line.size() > max_package_field) {
      return fail(Errc::failed, "{} is no {}", shown(line), triple.size() < 2 ? "normal path" : "package");
    }
    triple.emplace_back(line);
    if (triple.size() < 3) return {};
    const bool is_new = triple[0] != triple[1] && !diversions.contains(triple[0]) && !targets.contains(triple[0]) &&
                        !diversions.contains(triple[1]) && targets.insert(triple[1]).second;
    if (!is_new) return fail(Errc::failed, "{} or {} is diverted already", shown(triple[0]), shown(triple[1]));
    diversions[triple[0]] = {triple[1], triple[2] == ":" ? std::string() : triple[2]};
    triple.clear();
    return {};
  }));
  if (!triple.empty()) return make_error(Errc::failed, "line 1: the number of lines is no multiple of three");
  return diversions;
}

Result<std::map<std::string, StatOverride>> parse_statoverrides(std::string_view text) {
  std::map<std::string, StatOverride> overrides;
  VMPATCH_CHECK(for_each_line(text, [&](std::string_view line) -> Result<void> {
    std::vector<std::string_view> fields;
    for (std::string_view rest = line; fields.size() < 3;) {
      const auto blank = rest.find(' ');
      if (blank == std::string_view::npos || blank == 0) break;
      fields.push_back(rest.substr(0, blank));
      rest.remove_prefix(blank + 1);
      if (fields.size() == 3) fields.push_back(rest);
    }
    StatOverride made;
    const bool whole = fields.size() == 4 && is_normal(fields[3]);
    const auto* end = whole ? fields[2].data() + fields[2].size() : nullptr;
    constexpr int octal = 8;
    const auto number = whole ? std::from_chars(fields[2].data(), end, made.mode, octal) : std::from_chars_result{};
    if (!whole || number.ec != std::errc() || number.ptr != end || made.mode > 07777U) {
      return fail(Errc::failed, "expected \"user group mode path\", found {}", shown(line));
    }
    made.user = fields[0];
    made.group = fields[1];
    if (!overrides.emplace(std::string(fields[3]), std::move(made)).second) return fail(Errc::failed, "{} comes twice", shown(fields[3]));
    return {};
  }));
  return overrides;
}

Result<std::map<std::string, StatOverride>> load_statoverrides(Guest& guest) {
  constexpr const char* path = "/var/lib/dpkg/statoverride";
  VMPATCH_TRY(const auto text, read_if_there(guest, path, max_list));
  auto overrides = parse_statoverrides(text.value_or(""));
  if (!overrides) return overrides.error().in(path);
  return overrides;
}

Result<PackageLists> load_package_lists(Guest& guest, const Package& package) {
  PackageLists lists;
  VMPATCH_TRY(const auto list, read_info(guest, package, "list"));
  if (!list) return missing(package, "list");
  auto files = parse_file_list(*list);
  if (!files) return malformed(files.error(), package, "list");
  VMPATCH_TRY(const auto md5sums, read_info(guest, package, "md5sums"));
  if (!md5sums) return missing(package, "md5sums");
  auto sums = parse_md5sums(*md5sums);
  if (!sums) return malformed(sums.error(), package, "md5sums");
  VMPATCH_TRY(const auto conffiles, read_info(guest, package, "conffiles"));
  if (conffiles) add_conffiles(*conffiles, lists.conffiles);
  lists.files = std::move(*files);
  lists.sums = std::move(*sums);
  return lists;
}

Result<std::set<std::string>> load_file_list(Guest& guest, const Package& package) {
  const auto list = read_info(guest, package, "list");
  if (!list && list.error().code != Errc::failed) return list.error();
  if (!list || !*list) return std::set<std::string>();
  auto files = parse_file_list(**list);
  return files ? std::move(*files) : std::set<std::string>();
}

Result<std::map<std::string, Diversion>> load_diversions(Guest& guest) {
  constexpr const char* path = "/var/lib/dpkg/diversions";
  VMPATCH_TRY(const auto text, read_if_there(guest, path, max_list));
  auto diversions = parse_diversions(text.value_or(""));
  if (!diversions) return diversions.error().in(path);
  return diversions;
}

}  // namespace vmpatch::guest
