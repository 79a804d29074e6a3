#include "engine/permissions.hpp"

#include <cctype>

#include "engine/guest_names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr unsigned set_user = 04000;
constexpr unsigned set_group = 02000;
constexpr unsigned group_writes = 00020;
constexpr unsigned all_write = 00002;

struct Wanted {
  unsigned mode = 0;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
};

std::string shown(unsigned mode, std::uint32_t user, std::uint32_t group) { return fmt::format("{:04o} {}:{}", mode, user, group); }

/// What it gives away beyond what is wanted, but for writing by all.
bool is_wider(const Wanted& wanted, const guest::FileStat& found, bool conffile) {
  const unsigned more = found.mode & ~wanted.mode;
  if ((more & (set_user | set_group)) != 0) return true;
  if (found.uid != wanted.user && (found.mode & set_user) != 0) return true;
  if (found.gid != wanted.group && (found.mode & set_group) != 0) return true;
  if (conffile) return false;  // the administrator's, as its content is
  if (found.uid != wanted.user && found.uid != 0) return true;
  return (more & group_writes) != 0 || (found.gid != wanted.group && (found.mode & group_writes) != 0);
}

bool is_part_of_path(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' || c == '_' || c == '-' || c == '+';
}

}  // namespace

bool names_path(std::string_view text, std::string_view path) {
  for (auto at = text.find(path); at != std::string_view::npos; at = text.find(path, at + 1)) {
    const auto end = at + path.size();
    if ((at == 0 || !is_part_of_path(text[at - 1])) && (end == text.size() || !is_part_of_path(text[end]))) return true;
  }
  return false;
}

Result<Permissions> Permissions::load(guest::Guest& guest) {
  Permissions made;
  VMPATCH_TRY(made.overrides_, guest::load_statoverrides(guest));
  return made;
}

Result<std::uint32_t> Permissions::number_of(guest::Guest& guest, bool group, const std::string& name, std::uint32_t otherwise) {
  // No entry of the guest's tables makes somebody else of it.
  if (name == "root") return std::uint32_t{0};
  if (name.empty()) return otherwise;
  auto& known = group ? groups_ : users_;
  auto found = known.find(name);
  if (found == known.end()) {
    const auto wanted = name.front() == '#' ? name.substr(1) : name;
    const auto number = group ? find_group(guest, wanted) : find_user(guest, wanted);
    if (!number && number.error().code != Errc::failed && number.error().code != Errc::not_found) return number.error();
    found = known.emplace(name, number ? std::optional(*number) : std::nullopt).first;
  }
  return found->second.value_or(otherwise);
}

Result<Permissions::Answer> Permissions::compare(guest::Guest& guest, const recipe::DebPackage& package, const recipe::DebFile& file,
                                                 bool conffile, const std::string& place, const guest::FileStat& found) {
  Wanted wanted{file.mode & 07777U, 0, 0};
  VMPATCH_TRY(wanted.user, number_of(guest, false, file.user, file.uid));
  VMPATCH_TRY(wanted.group, number_of(guest, true, file.group, file.gid));
  const auto now = shown(found.mode, found.uid, found.gid);
  auto text = fmt::format("{} is {}, delivered as {}", escape_untrusted(place), now, shown(wanted.mode, wanted.user, wanted.group));
  const bool as_delivered = now == shown(wanted.mode, wanted.user, wanted.group);
  auto said = overrides_.find(file.path);
  if (said == overrides_.end()) said = overrides_.find(place);
  const bool overridden = said != overrides_.end();
  if (overridden) {
    wanted.mode = said->second.mode;
    VMPATCH_TRY(wanted.user, number_of(guest, false, said->second.user, file.uid));
    VMPATCH_TRY(wanted.group, number_of(guest, true, said->second.group, file.gid));
    text += fmt::format(", by dpkg-statoverride {}", shown(wanted.mode, wanted.user, wanted.group));
  } else if (as_delivered) {
    return Answer{};
  }
  using Kind = Answer::Kind;
  if ((found.mode & ~wanted.mode & all_write) != 0) return Answer{Kind::wider, std::move(text)};
  if (!is_wider(wanted, found, conffile)) return Answer{Kind::note, std::move(text)};
  if (overridden || !names_path(package.scripts, file.path)) return Answer{Kind::wider, std::move(text)};
  return Answer{Kind::note, text + ", by its own script"};
}

}  // namespace vmpatch::engine
