// Labels, ACLs and capabilities lie in extended attributes: xattr(7).
#include <cerrno>

#include "guest/guestfs/appliance_guest.hpp"

namespace vmpatch::guest::guestfs {
namespace {

using List = std::unique_ptr<struct guestfs_xattr_list, Free<guestfs_free_xattr_list>>;

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

Result<void> ApplianceGuest::set_extended_attributes(const std::string& path, const ExtendedAttributes& attributes) {
  for (const auto& [name, value] : attributes) {
    VMPATCH_CHECK(check(g(), guestfs_lsetxattr(g(), name.c_str(), value.data(), static_cast<int>(value.size()), path.c_str()),
                        "set an extended attribute of", path));
  }
  return {};
}

Result<void> ApplianceGuest::pass_on(const Owned& old, const std::string& path, std::uint32_t uid, unsigned mode) {
  auto attributes = old.attributes;
  // Its old owner could give itself a way in by an ACL.
  if (old.uid != uid) std::erase_if(attributes, [](const auto& attribute) { return attribute.first != "security.selinux"; });
  VMPATCH_CHECK(set_extended_attributes(path, attributes));
  return check(g(), guestfs_chmod(g(), static_cast<int>(mode), path.c_str()), "change the mode of", path);
}

Result<std::map<std::string, Owned>> ApplianceGuest::attributes_of(const std::string& dir, const std::vector<std::string>& members) {
  std::map<std::string, Owned> all;
  Places places(*this);
  for (const std::string& member : members) {
    VMPATCH_TRY(const Place place, places.find(dir + "/" + member));
    if (!place.stat || place.stat->kind != FileKind::regular) continue;
    VMPATCH_TRY(auto attributes, extended_attributes(place.path));
    if (!attributes.empty()) all[place.path] = {place.stat->uid, std::move(attributes)};
  }
  return all;
}

}  // namespace vmpatch::guest::guestfs
