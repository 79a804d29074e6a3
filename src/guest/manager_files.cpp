#include "vmpatch/guest/manager_files.hpp"

#include <algorithm>
#include <array>

#include "guest/json_bytes.hpp"
#include "guest/optional_files.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_database = 64U << 20U;
constexpr std::uint64_t max_small = 1U << 20U;
constexpr std::size_t max_files = 1000;

Result<void> add(Guest& guest, ManagerFiles& found, const std::string& path, const std::string& name, std::uint64_t max_bytes) {
  auto content = read_if_there(guest, path, max_bytes);
  if (content) {
    if (*content) found.files.emplace(name, std::move(**content));
    return {};
  }
  // A link to /dev/null or to a folder: apt passes over it, too.
  const auto info = guest.stat(path);
  if (info && info->kind != FileKind::regular) return {};
  return content.error().in(escape_untrusted(path));
}

/// Names that apt passes over need not be carried.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.size() < 200 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

constexpr std::array folders{"preferences.d", "apt.conf.d"};

/// What read_manager_files() gives a name.
bool is_known(const std::string& name) {
  constexpr std::array files{"status", "extended_states", "preferences", "apt.conf", "machine-id"};
  const std::string folder = name.substr(0, name.find('/'));
  if (folder == name) return std::find(files.begin(), files.end(), name) != files.end();
  return std::find(folders.begin(), folders.end(), folder) != folders.end() && is_plain_name(name.substr(folder.size() + 1));
}

Result<void> add_folder(Guest& guest, ManagerFiles& found, const std::string& path, const std::string& name) {
  VMPATCH_TRY(const auto entries, list_if_there(guest, path));
  if (entries.size() > max_files) return fail(Errc::failed, "{} has more than {} files", path, max_files);
  for (const DirEntry& entry : entries) {
    const bool may_be_file = entry.kind == FileKind::regular || entry.kind == FileKind::symlink;
    if (may_be_file && is_plain_name(entry.name)) VMPATCH_CHECK(add(guest, found, path + "/" + entry.name, name + "/" + entry.name, max_small));
  }
  return {};
}

bool is_architecture(std::string_view text) {
  return !text.empty() && text.size() < 40 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

/// The guest's own is the one of its dpkg; others were added with dpkg --add-architecture.
Result<std::vector<std::string>> architectures(Guest& guest, const std::string& status) {
  VMPATCH_TRY(const auto packages, parse_dpkg_status(status));
  const auto dpkg = std::find_if(packages.begin(), packages.end(), [](const Package& package) { return package.name == "dpkg" && package.installed(); });
  if (dpkg == packages.end() || !is_architecture(dpkg->arch)) return fail(Errc::unsupported, "its package dpkg is not installed, so that its architecture is not known");
  std::vector<std::string> all{dpkg->arch};
  VMPATCH_TRY(const auto foreign, read_if_there(guest, "/var/lib/dpkg/arch", max_small));
  const std::string lines = foreign.value_or("");
  for (const auto line : split(lines, '\n')) {
    const std::string name(trim(line));
    if (is_architecture(name) && std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
  return all;
}

}  // namespace

Result<ManagerFiles> read_manager_files(Guest& guest) {
  ManagerFiles found;
  VMPATCH_CHECK(add(guest, found, "/var/lib/dpkg/status", "status", max_database));
  const auto status = found.files.find("status");
  if (status == found.files.end()) return fail(Errc::unsupported, "it has no package database of dpkg");
  found.manager = "dpkg";
  VMPATCH_TRY(found.architectures, architectures(guest, status->second));
  VMPATCH_CHECK(add(guest, found, "/var/lib/apt/extended_states", "extended_states", max_database));
  VMPATCH_CHECK(add(guest, found, "/etc/apt/preferences", "preferences", max_small));
  VMPATCH_CHECK(add(guest, found, "/etc/apt/apt.conf", "apt.conf", max_small));
  for (const std::string folder : folders) VMPATCH_CHECK(add_folder(guest, found, "/etc/apt/" + folder, folder));
  VMPATCH_CHECK(add(guest, found, "/etc/machine-id", "machine-id", max_small));
  return found;
}

Json to_json(const ManagerFiles& files) {
  Json content = Json::object();
  for (const auto& [name, text] : files.files) content[name] = bytes_to_text(text);
  return Json{{"manager", files.manager}, {"architectures", files.architectures}, {"files", std::move(content)}};
}

Result<ManagerFiles> manager_files_from_json(const Json& json) {
  ManagerFiles files;
  try {
    json.at("manager").get_to(files.manager);
    json.at("architectures").get_to(files.architectures);
    for (const auto& [name, text] : json.at("files").items()) {
      if (!is_known(name)) return fail(Errc::failed, "'{}' is no file of a package manager", escape_untrusted(name));
      files.files.emplace(name, text_to_bytes(text.get<std::string>()));
    }
  } catch (const Json::exception& error) {
    return fail(Errc::failed, "they are no package manager's files of this version: {}", error.what());
  }
  return files;
}

}  // namespace vmpatch::guest
