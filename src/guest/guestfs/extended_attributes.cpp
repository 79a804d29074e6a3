// Labels, ACLs and capabilities lie in extended attributes: xattr(7).
#include <cerrno>

#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/scratch.hpp"
#include "guest/guestfs/script.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

using List = std::unique_ptr<struct guestfs_xattr_list, Free<guestfs_free_xattr_list>>;

constexpr std::size_t most_of_value = 16U << 10U;  ///< in hex it must fit into one argument; labels, ACLs and capabilities are far smaller

/// They sign the content that was there: evmctl(1).
bool signs_content(std::string_view name) { return name == "security.ima" || name == "security.evm"; }

}  // namespace

Result<ExtendedAttributes> ApplianceGuest::extended_attributes(const std::string& path) {
  const List found(guestfs_lgetxattrs(g(), path.c_str()));
  if (!found) {
    // FAT and its like have none.
    if (guestfs_last_errno(g()) == ENOTSUP) return ExtendedAttributes();
    return last_error(g(), "read the extended attributes of", path);
  }
  ExtendedAttributes attributes;
  for (std::uint32_t i = 0; i < found->len; ++i) {
    const auto& attribute = found->val[i];
    if (!signs_content(attribute.attrname)) attributes[attribute.attrname] = std::string(attribute.attrval, attribute.attrval_len);
  }
  return attributes;
}

Result<void> ApplianceGuest::drop_inherited_acl(const std::string& path) {
  for (const char* name : {"system.posix_acl_access", "system.posix_acl_default"}) {
    if (guestfs_lremovexattr(g(), name, path.c_str()) == 0) continue;
    const int error = guestfs_last_errno(g());
    if (error != ENODATA && error != ENOTSUP) return last_error(g(), "take away the ACL of", path);
  }
  return {};
}

/// libguestfs hands values over as text, which ends at the first zero; setfattr(1) of the appliance takes them in hex.
Result<void> ApplianceGuest::set_extended_attributes(const std::string& path, const ExtendedAttributes& attributes) {
  if (!attributes.contains("system.posix_acl_access")) VMPATCH_CHECK(drop_inherited_acl(path));
  for (const auto& [name, value] : attributes) {
    if (value.size() > most_of_value) return fail(Errc::failed, "{} of {} is too large to be kept", escape_untrusted(name), escape_untrusted(path));
    const std::string hex = value.empty() ? "''" : "0x" + to_hex({value.data(), value.size()});
    std::string script = fmt::format("setfattr -h -n {} -v {} -- {} 2>&1 && echo set", quote(name), hex, quote(std::string(sysroot) + path));
    char* argv[] = {script.data(), nullptr};
    const CString output(guestfs_debug(g(), "sh", argv));
    if (!output) return last_error(g(), "set an extended attribute of", path);
    const std::string_view text = trim(output.get());
    if (text != "set") {
      return fail(Errc::failed, "cannot set {} of {}: {}", escape_untrusted(name), escape_untrusted(path), escape_untrusted(text.substr(0, 200)));
    }
  }
  return {};
}

Result<void> ApplianceGuest::pass_on(const Owned& old, const std::string& path, std::uint32_t uid, std::uint32_t gid,
                                     unsigned mode) {
  auto attributes = old.attributes;
  // Its old owner could give itself a way in by an ACL.
  if (old.is_others(uid, gid)) std::erase_if(attributes, [](const auto& attribute) { return attribute.first != "security.selinux"; });
  VMPATCH_CHECK(set_extended_attributes(path, attributes));
  return check(g(), guestfs_chmod(g(), static_cast<int>(mode), path.c_str()), "change the mode of", path);
}

Result<MembersBefore> ApplianceGuest::attributes_of(const std::string& dir, const std::vector<std::string>& members) {
  MembersBefore before;
  Places places(*this);
  for (const std::string& member : members) {
    VMPATCH_TRY(const Place place, places.find(dir + "/" + member));
    if (!place.stat) before.plain.push_back(place.path);
    if (!place.stat || place.stat->kind != FileKind::regular) continue;
    VMPATCH_TRY(auto attributes, extended_attributes(place.path));
    if (attributes.empty()) before.plain.push_back(place.path);
    else before.files[place.path] = {place.stat->uid, place.stat->gid, std::move(attributes)};
  }
  return before;
}

}  // namespace vmpatch::guest::guestfs
