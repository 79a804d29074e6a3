#pragma once

#include <functional>

#include "guest/bound_places.hpp"
#include "guest/guestfs/appliance.hpp"
#include "guest/guestfs/handle.hpp"
#include "guest/mount_notes.hpp"
#include "vmpatch/guest/disks.hpp"
#include "vmpatch/guest/place.hpp"

namespace vmpatch::guest::guestfs {

/// One file system of the guest.
struct Mount {
  PlannedMount planned;
  bool writable = false;
};

/// Names and values of a file's extended attributes.
using ExtendedAttributes = std::map<std::string, std::string>;
struct Owned {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  ExtendedAttributes attributes;
  [[nodiscard]] bool is_others(std::uint32_t new_uid, std::uint32_t new_gid) const { return uid != new_uid || gid != new_gid; }
};

/// What lies where the members of an archive come.
struct MembersBefore {
  std::map<std::string, Owned> files;  ///< regular ones that have extended attributes, by path
  std::vector<std::string> plain;   ///< the same without any, and what is not there
};

class ApplianceGuest final : public WritableGuest {
 public:
  /// `mounts`: root first; nothing is mounted yet.
  ApplianceGuest(Handle handle, std::vector<Mount> mounts, std::string payload_device, bool hibernated);
  /// Mounts everything; what cannot be mounted at a place that is not vital is left out, and where its directory is there, reads
  /// below it fail and an empty read-only file system keeps writers away. A writable guest gets a memory file system on its /run, as on a booted system: what programs and
  /// this class leave there never reaches the disk.
  Result<void> mount_all();

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override;
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override;
  Result<FileStat> stat(const std::string& path) override;
  Result<FileStat> lstat(const std::string& path) override;
  Result<std::string> readlink(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& dir) override;
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override;
  Result<std::optional<std::string>> augeas_get(const std::string& path, const std::string& lens,
                                                const std::string& node) override;
  [[nodiscard]] std::string access() const override;
  [[nodiscard]] bool hibernated() const override { return hibernated_; }
  Result<void> finish() override;

  Result<void> put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) override;
  Result<void> make_dirs(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> symlink(const std::string& target, const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> chmod(const std::string& path, unsigned mode) override;
  Result<void> chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) override;
  Result<void> unpack_tar(const std::string& payload_name, const std::string& dir, const std::vector<std::string>& members) override;
  Result<void> augeas_edit(const std::string& path, const std::string& lens, const std::map<std::string, std::string>& set,
                           const std::vector<std::string>& remove) override;
  Result<CommandResult> command(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                Seconds timeout) override;
  Result<std::string> mount_payloads() override;
  Result<void> unmount_payloads() override;
  Result<void> check_file_systems() override;
  Result<std::uint64_t> free_space(const std::string& path) override;

 private:
  [[nodiscard]] guestfs_h* g() const { return handle_.get(); }
  Result<void> mount_one(const Mount& mount);
  Result<void> mount_memory(const std::string& where, const char* options);
  Result<void> mount_device(const Mount& mount, const std::string& real);
  Result<void> bind(const std::string& from, const std::string& where, const std::string& real);
  /// `from` is a path of the appliance, `real` one of the guest without links.
  Result<void> bind_path(const std::string& from, const std::string& real);
  /// Nothing is mounted at the place: the error that reads below it get.
  Result<void> shut(const PlannedMount& planned, const std::string& real, Error why);
  [[nodiscard]] Result<void> check_open(const std::string& path) const;
  [[nodiscard]] bool writable() const { return mounts_.front().writable; }
  Result<void> mount_run();
  Result<void> unmount_all();
  /// Content through the appliance's daemon, without a process in it. In one message:
  Result<std::string> read_small(const std::string& path, std::uint64_t size);
  /// Bytes that are there by the file's size, at most 2 MiB at once.
  Result<void> each_piece(const std::string& path, std::uint64_t offset, std::uint64_t length,
                          const std::function<void(std::string_view)>& take);
  /// Where a call that changes `path` changes it: see find_place().
  Result<Place> place_of(const std::string& path, LastLink last = LastLink::keep);
  /// `path` has no links in it. Those of the path itself, without the ones that sign content; none where the file system has none.
  Result<ExtendedAttributes> extended_attributes(const std::string& path);
  /// Also without the ACL that it may have from its folder, where none is among them.
  Result<void> set_extended_attributes(const std::string& path, const ExtendedAttributes& attributes);
  /// What others than root set for new files of a folder: acl(5), "OBJECT CREATION AND DEFAULT ACLs".
  Result<void> drop_inherited_acl(const std::string& path);
  /// What a file had, for the one at `path` that took its place and has its owner. The mode comes last: an ACL brings bits of its own.
  Result<void> pass_on(const Owned& old, const std::string& path, std::uint32_t uid, std::uint32_t gid, unsigned mode);
  Result<MembersBefore> attributes_of(const std::string& dir, const std::vector<std::string>& members);
  /// Whether new files in one of these folders, or in those above that are there, would get an ACL.
  Result<bool> is_acl_inherited(const std::string& dir, const std::vector<std::string>& members);
  Result<void> run_tar(const std::string& payload_name, const std::string& dir);
  Result<void> fill(const std::string& fresh, const FileContent& content);
  Result<void> fill_with_bytes(const std::string& fresh, const std::string& bytes);
  /// Owner, then extended attributes, then mode: each takes away some of what stands behind it.
  Result<void> dress(const std::string& fresh, const Place& old, const FileAttributes& attributes);
  Result<void> load_augeas(const std::string& path, const std::string& lens);
  Result<std::string> read_output(std::uint64_t size);

  Handle handle_;
  std::vector<Mount> mounts_;
  std::string payload_device_;  ///< "" = none
  std::map<std::string, Error> shut_;  ///< by mount point
  BoundPlaces places_;
  MountNotes notes_;
  bool hibernated_ = false;
  bool mounted_ = false;
  bool run_created_ = false;
  bool payloads_mounted_ = false;
};

}  // namespace vmpatch::guest::guestfs
