#include "guest/direct/find_root.hpp"

#include <algorithm>

#include "guest/mount_notes.hpp"
#include "guest/root_choice.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::uint64_t max_fstab = 1U << 20U;
constexpr std::size_t swap_head = 64U << 10U;

/// In any form: a link may lead to a file system that is not mounted yet.
Result<bool> exists(Tree& tree, const char* path) {
  VMPATCH_TRY(const Found found, tree.resolve(path, false));
  return found.how == Found::How::node;
}

Result<bool> any_exists(Tree& tree, std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    VMPATCH_TRY(const bool there, exists(tree, path));
    if (there) return true;
  }
  return false;
}

Result<bool> is_root(ExtFileSystem& fs) {
  Tree tree(fs);
  VMPATCH_TRY(const bool release, any_exists(tree, {"/etc/os-release", "/usr/lib/os-release"}));
  if (!release) return false;
  return any_exists(tree, {"/etc/fstab", "/sbin/init", "/usr/sbin/init", "/bin/sh"});
}

/// Hides an operating system that only an appliance can see.
bool hides_root(const FoundVolume& volume) {
  if (volume.fs) return false;
  return volume.signature.may_hide_root() ||
         (volume.unreadable && volume.signature.is_ext() && volume.unreadable->code == Errc::unsupported);
}

Result<std::vector<MountEntry>> read_fstab(ExtFileSystem& root) {
  Tree tree(root);
  const auto text = read_file(tree, "/etc/fstab", max_fstab);
  if (!text) {
    if (text.error().code == Errc::not_found) return std::vector<MountEntry>();
    return text.error();
  }
  return parse_fstab(*text);
}

Result<bool> is_suspended_file(Tree& tree, const std::string& path) {
  const auto resolved = tree.resolve(path, true);
  if (!resolved && resolved.error().code == Errc::not_found) return false;  // below a mount that is not there
  VMPATCH_TRY(const Found found, resolved);
  if (found.how != Found::How::node || found.node.stat.kind != FileKind::regular) return false;
  std::string head;
  VMPATCH_CHECK(found.node.fs->content(found.node.inode, [&](std::string_view piece) {
    head += piece;
    return head.size() < swap_head;
  }));
  return recognise_swap(head).type == "swsuspend";
}

/// Null for what is blocked.
FoundVolume* volume_of(Volumes& volumes, const PlannedMount& mount) {
  const auto found = std::find_if(volumes.all.begin(), volumes.all.end(),
                                  [&](const FoundVolume& v) { return v.about.device == mount.file_system.device; });
  return found == volumes.all.end() ? nullptr : &*found;
}

/// Why a planned mount cannot be read here; nullopt where it can.
std::optional<Error> obstacle(const PlannedMount& mount, const FoundVolume* volume) {
  if (mount.blocked) return mount.blocked;
  if (volume->fs) return std::nullopt;
  Error why = volume->unreadable ? *volume->unreadable
                                 : fail(Errc::unsupported, "{}: its content is not recognised", volume->about.device);
  why.message += fmt::format(", mounted on {}", escape_untrusted(mount.where));
  return why;
}

/// What a mount that did not come about answers below its place.
Error why_not(const PlannedMount& planned, const FoundVolume* volume, Tree::Joined joined) {
  const std::string where = escape_untrusted(planned.where);
  if (joined == Tree::Joined::entangled) {
    return fail(Errc::refused, "fstab: what is seen at {} depends on the order of bind mounts and what lies below them; patch the machine while it runs", where);
  }
  if (!planned.bound_from.empty()) {
    return fail(Errc::refused, "fstab: {} cannot be bound to {}, because one of them is not there or not mounted; correct the line, or patch the machine while it runs",
                escape_untrusted(planned.bound_from), where);
  }
  // Its directory may be in what only an appliance reads.
  return fail(joined == Tree::Joined::hidden ? Errc::unsupported : Errc::failed, "there is no directory {} to mount {} on; make it in the guest", where,
              volume->about.device);
}

Result<void> mount(Tree& tree, const PlannedMount& planned, FoundVolume* volume, std::string& summary, MountNotes& notes) {
  const bool bound = !planned.bound_from.empty();
  auto why = bound ? std::nullopt : obstacle(planned, volume);
  if (why && is_vital(planned.where)) return *why;
  VMPATCH_TRY(const Tree::Joined joined, why     ? tree.block(planned.where, *why)
                                         : bound ? tree.bind(planned.bound_from, planned.where)
                                                 : tree.mount(planned.where, *volume->fs));
  if (why) {
    // What an appliance can read is read by one when it is asked for. Memory is no loss.
    if (why->code != Errc::unsupported && !(planned.left_out && why->code == Errc::not_found)) notes.add(planned.where, why->message);
    return {};
  }
  if (joined == Tree::Joined::done) {
    const std::string what = bound ? escape_untrusted(planned.bound_from) : fmt::format("{} ({})", volume->about.device, volume->about.type);
    summary += fmt::format(", {} on {}", what, escape_untrusted(planned.where));
    return {};
  }
  why = why_not(planned, volume, joined);
  if (is_vital(planned.where)) return *why;
  if (bound || joined == Tree::Joined::entangled) {
    notes.add(planned.where, why->message);
    VMPATCH_TRY([[maybe_unused]] const auto blocked, tree.block(planned.where, *why));
    return {};
  }
  notes.add(planned.where, joined == Tree::Joined::hidden ? "it lies below one that is not mounted" : "there is no such directory");
  return {};
}

Result<Node> regular_file(Tree& tree, const std::string& path) {
  VMPATCH_TRY(const Found found, tree.resolve(path, true));
  const std::string name = escape_untrusted(path);
  if (found.how == Found::How::missing) return fail(Errc::not_found, "there is no {} in the guest", name);
  if (found.how == Found::How::loop)
    return fail(Errc::failed, "{}: more than {} symbolic links", name, Tree::max_links);
  if (found.node.stat.kind != FileKind::regular) return fail(Errc::failed, "{} is not a regular file", name);
  return found.node;
}

}  // namespace

Result<std::string> read_file(Tree& tree, const std::string& path, std::uint64_t max_bytes) {
  VMPATCH_TRY(const Node node, regular_file(tree, path));
  const std::string name = escape_untrusted(path);
  if (node.stat.size > max_bytes) {
    return fail(Errc::failed, "{} has {} in the guest, more than the {} that are allowed", name,
                format_size(node.stat.size), format_size(max_bytes));
  }
  std::string content;
  content.reserve(static_cast<std::size_t>(node.stat.size));
  auto done = node.fs->content(node.inode, [&](std::string_view piece) {
    content += piece;
    return true;
  });
  if (!done) return done.error().in("read " + name);
  return content;
}

Result<std::string> read_range(Tree& tree, const std::string& path, std::uint64_t offset, std::uint64_t length) {
  if (length > Guest::max_range) return fail(Errc::failed, "{} bytes at once are more than {}", length, Guest::max_range);
  VMPATCH_TRY(const Node node, regular_file(tree, path));
  auto bytes = node.fs->range(node.inode, offset, length);
  if (!bytes) return bytes.error().in("read " + escape_untrusted(path));
  return bytes;
}

Result<std::size_t> find_root(const Volumes& volumes) {
  std::vector<std::size_t> roots;
  std::optional<Error> damaged;
  std::optional<Error> unsupported;
  for (std::size_t i = 0; i < volumes.all.size(); ++i) {
    const FoundVolume& volume = volumes.all[i];
    if (volume.fs) {
      auto root = is_root(*volume.fs);
      if (!root) {
        if (root.error().code == Errc::timeout) return root.error();
        auto& slot = root.error().code == Errc::unsupported ? unsupported : damaged;
        if (!slot) slot = root.error().in(volume.about.device);
      } else if (*root) {
        roots.push_back(i);
      }
    } else if (hides_root(volume)) {
      if (!unsupported) unsupported = volume.unreadable;
    } else if (volume.unreadable && volume.signature.is_ext() && !damaged) {
      damaged = volume.unreadable;
    }
  }
  if (roots.size() == 1) return roots.front();
  if (roots.empty()) {
    if (unsupported) return *unsupported;
    if (damaged) return *damaged;
    return no_root(volumes.file_systems(), {});
  }
  std::string names;
  for (const std::size_t i : roots) names += (names.empty() ? "" : ", ") + volumes.all[i].about.device;
  return fail(Errc::refused,
              "{} operating systems found ({}); vm-patch works on machines with one: give the other a machine of its own",
              roots.size(), names);
}

Result<JoinedTree> join(Volumes& volumes, std::size_t root) {
  FoundVolume& top = volumes.all[root];
  VMPATCH_TRY(const std::vector<MountEntry> fstab, read_fstab(*top.fs));
  for (const FoundVolume& volume : volumes.all) {
    // What is inside a container decides; an appliance can open it.
    if (volume.signature.is_container()) return *volume.unreadable;
  }
  VMPATCH_TRY(const auto plan, plan_mounts(top.about, fstab, volumes.file_systems()));
  for (const FoundVolume& volume : volumes.all) {
    const bool planned =
        std::any_of(plan.begin(), plan.end(), [&](const PlannedMount& m) { return m.file_system.device == volume.about.device; });
    if (!planned && hides_root(volume))
      return volume.unreadable->in("outside the mount table, may hold another system");
  }
  JoinedTree joined{std::make_unique<Tree>(*top.fs), fmt::format("{} ({}) on /", top.about.device, top.about.type),
                    false};
  MountNotes notes;
  for (const PlannedMount& planned : plan) {
    if (planned.where != "/") VMPATCH_CHECK(mount(*joined.tree, planned, volume_of(volumes, planned), joined.summary, notes));
  }
  joined.summary += notes.text();
  for (const MountEntry& entry : fstab) {
    if (entry.type != "swap" || !entry.what.starts_with('/') || entry.what.starts_with("/dev/")) continue;
    VMPATCH_TRY(const bool suspended, is_suspended_file(*joined.tree, entry.what));
    joined.hibernated_file = joined.hibernated_file || suspended;
  }
  return joined;
}

}  // namespace vmpatch::guest::direct
