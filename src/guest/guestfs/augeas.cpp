#include "guest/augeas_names.hpp"
#include "guest/guestfs/appliance_guest.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

// augeas.h; libguestfs passes them through.
constexpr int no_load = 1 << 5;
constexpr int no_module_autoload = 1 << 6;

/// Closes Augeas in the appliance at the end of a call.
class Session {
 public:
  explicit Session(guestfs_h* g) : g_(g) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { guestfs_aug_close(g_); }

 private:
  guestfs_h* g_;
};

std::string node_path(const std::string& path, const std::string& node) { return "/files" + escape_augeas_path(path) + "/" + node; }

/// Augeas keeps what went wrong with a file in its own tree.
std::optional<std::string> file_error(guestfs_h* g) {
  const Strings found(guestfs_aug_match(g, "/augeas//error"));
  for (const std::string& where : to_vector(found)) {
    const CString kind(guestfs_aug_get(g, where.c_str()));
    const CString message(guestfs_aug_get(g, (where + "/message").c_str()));
    const CString line(guestfs_aug_get(g, (where + "/line").c_str()));
    std::string text = message ? message.get() : kind ? kind.get() : "unknown error";
    if (line) text += fmt::format(" (line {})", line.get());
    return escape_untrusted(text);
  }
  return std::nullopt;
}

}  // namespace

Result<void> ApplianceGuest::load_augeas(const std::string& path, const std::string& lens) {
  VMPATCH_TRY(const std::string name, lens_name(lens));
  // The daemon's Augeas would follow the guest's links into the appliance.
  VMPATCH_TRY(const FileStat info, lstat(path));
  if (info.kind != FileKind::regular) return fail(Errc::failed, "cannot edit {}: not a regular file", escape_untrusted(path));
  // Only this lens: loading all of them takes seconds.
  VMPATCH_CHECK(check(g(), guestfs_aug_init(g(), "/", no_load | no_module_autoload), "start Augeas"));
  VMPATCH_CHECK(check(g(), guestfs_aug_transform(g(), name.c_str(), path.c_str(), -1), "use Augeas lens", name));
  VMPATCH_CHECK(check(g(), guestfs_aug_load(g()), "read by Augeas", path));
  if (const auto error = file_error(g())) {
    return fail(Errc::failed, "Augeas cannot read {} with lens {}: {}", escape_untrusted(path), name, *error);
  }
  return {};
}

Result<std::optional<std::string>> ApplianceGuest::augeas_get(const std::string& path, const std::string& lens,
                                                              const std::string& node) {
  VMPATCH_TRY(const Place place, place_of(path, LastLink::follow));
  VMPATCH_CHECK(load_augeas(place.path, lens));
  const Session session(g());
  const std::string where = node_path(place.path, node);
  const Strings found(guestfs_aug_match(g(), where.c_str()));
  if (!found) return last_error(g(), "find Augeas node", where);
  const auto nodes = to_vector(found);
  if (nodes.empty()) return std::optional<std::string>();
  if (nodes.size() > 1) return fail(Errc::failed, "Augeas node {} is there {} times", escape_untrusted(where), nodes.size());
  const CString value(guestfs_aug_get(g(), where.c_str()));
  if (value) return std::optional(std::string(value.get()));
  const Error error = last_error(g(), "read Augeas node", where);
  // libguestfs calls a node without a value an error; its label can be read.
  const CString label(guestfs_aug_label(g(), where.c_str()));
  if (!label) return error;
  return std::optional(std::string());
}

Result<void> ApplianceGuest::augeas_edit(const std::string& asked, const std::string& lens,
                                         const std::map<std::string, std::string>& set, const std::vector<std::string>& remove) {
  VMPATCH_TRY(const Place place, place_of(asked, LastLink::follow));
  const std::string& path = place.path;
  VMPATCH_CHECK(load_augeas(path, lens));
  VMPATCH_TRY(const auto attributes, extended_attributes(path));
  const Session session(g());
  for (const std::string& node : remove) {
    const std::string where = node_path(path, node);
    VMPATCH_CHECK(check(g(), guestfs_aug_rm(g(), where.c_str()), "remove Augeas node", where));
  }
  for (const auto& [node, value] : set) {
    const std::string where = node_path(path, node);
    VMPATCH_CHECK(check(g(), guestfs_aug_set(g(), where.c_str(), value.c_str()), "set Augeas node", where));
  }
  // It writes a new file beside it, with the old one's owner and mode, and renames that.
  if (guestfs_aug_save(g()) == 0) return set_extended_attributes(path, attributes);
  const Error plain = last_error(g(), "save by Augeas", path);
  const auto error = file_error(g());
  if (!error) return Error{Errc::failed, plain.message};
  return fail(Errc::failed, "Augeas cannot save {}: {}", escape_untrusted(path), *error);
}

}  // namespace vmpatch::guest::guestfs
