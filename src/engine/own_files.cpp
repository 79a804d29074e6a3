#include "engine/own_files.hpp"

#include <algorithm>

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t largest = 1U << 20U;
constexpr const char* policy_path = "/usr/sbin/policy-rc.d";  // whoever keeps services from starting puts it back
constexpr const char* ssh_folder = "/etc/ssh";

Result<std::set<std::string>> names_of(guest::Guest& guest, const std::string& folder) {
  const auto entries = guest.list(folder);
  std::set<std::string> names;
  if (!entries && entries.error().code == Errc::not_found) return names;
  if (!entries) return entries.error();
  for (const auto& entry : *entries) names.insert(entry.name);
  return names;
}

bool is_named(const recipe::Recipe& recipe, const std::string& path) {
  return std::any_of(recipe.steps.begin(), recipe.steps.end(), [&](const recipe::Step& step) {
    const auto* file = std::get_if<recipe::step::File>(&step);
    const auto* edit = std::get_if<recipe::step::Edit>(&step);
    return (file != nullptr && file->path == path) || (edit != nullptr && edit->path == path);
  });
}

}  // namespace

Result<OwnFiles> OwnFiles::keep(guest::Guest& guest) {
  OwnFiles own;
  VMPATCH_TRY(own.identity_, guest::read_identity(guest));
  VMPATCH_TRY(own.ssh_, names_of(guest, ssh_folder));
  for (const auto& [path, state] : own.identity_.files) {
    if (path == policy_path || state == "absent") continue;
    Kept kept;
    VMPATCH_TRY(kept.info, guest.lstat(path));
    const bool is_file = kept.info.kind == guest::FileKind::regular && kept.info.size <= largest;
    if (!is_file && kept.info.kind != guest::FileKind::symlink) continue;
    VMPATCH_TRY(kept.content, is_file ? guest.read(path, largest) : guest.readlink(path));
    own.files_.emplace(path, std::move(kept));
  }
  return own;
}

Result<void> OwnFiles::put_back_one(guest::WritableGuest& guest, const std::string& path) const {
  const auto kept = files_.find(path);
  if (kept == files_.end()) {
    VMPATCH_CHECK(guest.remove(path));
    // A host key came with its public half.
    const std::string public_half = path + ".pub";
    const bool is_key = path.starts_with(ssh_folder) && !ssh_.contains(public_half.substr(public_half.rfind('/') + 1));
    return is_key ? guest.remove(public_half) : Result<void>();
  }
  const auto& [info, content] = kept->second;
  // A file in a file's place keeps its label and its ACL; a folder there goes.
  const auto now = guest.lstat(path);
  if (now && now->kind == guest::FileKind::directory) VMPATCH_CHECK(guest.remove(path));
  if (info.kind == guest::FileKind::symlink) return guest.symlink(content, path);
  return guest.put_file(path, {content, {}}, {info.mode, info.uid, info.gid});
}

Result<std::vector<std::string>> OwnFiles::put_back(guest::WritableGuest& guest, const recipe::Recipe& recipe) const {
  VMPATCH_TRY(const auto now, guest::read_identity(guest));
  std::vector<std::string> paths;
  for (const auto& [path, state] : now.files) {
    const auto before = identity_.files.find(path);
    const std::string& old_state = before == identity_.files.end() ? std::string("absent") : before->second;
    const bool can = old_state == "absent" || files_.contains(path);
    if (old_state == state || path == policy_path || !can || is_named(recipe, path)) continue;
    VMPATCH_CHECK(put_back_one(guest, path));
    paths.push_back(path);
  }
  for (const auto& [path, kept] : files_) {
    if (now.files.contains(path) || is_named(recipe, path)) continue;
    VMPATCH_CHECK(put_back_one(guest, path));  // a host key that is gone
    paths.push_back(path);
  }
  return paths;
}

}  // namespace vmpatch::engine
