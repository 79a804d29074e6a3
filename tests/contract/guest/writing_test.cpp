// What a WritableGuest must do. The tests run in the order of this file on one appliance; the last ones close it.
#include "contract/guest/guests.hpp"

namespace vmpatch::guest::test {
namespace {

WritableGuest& guest() { return Guests::get().appliance(); }

template <class T>
::testing::AssertionResult ok(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().message;
}

Result<CommandResult> shell(const std::string& script, Seconds timeout = Seconds(60)) {
  return guest().command({"/bin/sh", "-c", script}, {}, timeout);
}

TEST(WritableGuest, new_file_has_its_content_and_mode_0644_of_root) {
  EXPECT_TRUE(ok(guest().write("/etc/new", std::string("a\0b", 3))));
  EXPECT_EQ(guest().read("/etc/new", 100).value(), std::string("a\0b", 3));
  const FileStat stat = guest().lstat("/etc/new").value();
  EXPECT_EQ(stat.mode, 0644U);
  EXPECT_EQ(stat.uid, 0U);
}

TEST(WritableGuest, existing_file_is_replaced_and_keeps_its_mode) {
  EXPECT_TRUE(ok(guest().chmod("/etc/new", 0600)));
  EXPECT_TRUE(ok(guest().write("/etc/new", "")));
  EXPECT_EQ(guest().lstat("/etc/new")->mode, 0600U);
  EXPECT_EQ(guest().lstat("/etc/new")->size, 0U);
}

TEST(WritableGuest, content_beyond_a_message_of_libguestfs_is_written) {
  const std::string content(9U << 20U, 'y');
  EXPECT_TRUE(ok(guest().write("/srv/big", content)));
  EXPECT_EQ(guest().digests({"/srv/big"}).value()[0], sha256(content));
  EXPECT_TRUE(ok(guest().remove("/srv/big")));
}

TEST(WritableGuest, folders_links_names_modes_and_owners_change) {
  EXPECT_TRUE(ok(guest().make_dirs("/opt/a/b")));
  EXPECT_TRUE(ok(guest().make_dirs("/opt/a/b")));
  EXPECT_TRUE(ok(guest().symlink("b", "/opt/a/link")));
  EXPECT_TRUE(ok(guest().symlink("/dev/null", "/opt/a/link")));
  EXPECT_EQ(guest().readlink("/opt/a/link").value(), "/dev/null");
  EXPECT_FALSE(guest().symlink("x", "/opt/a/b").has_value());
  EXPECT_TRUE(ok(guest().rename("/opt/a/link", "/opt/a/other")));
  EXPECT_EQ(guest().lstat("/opt/a/link").error().code, Errc::not_found);
  EXPECT_TRUE(ok(guest().chmod("/opt/a/b", 01777)));
  EXPECT_TRUE(ok(guest().chown("/opt/a/b", 1234, 4321)));
  const FileStat stat = guest().stat("/opt/a/b").value();
  EXPECT_EQ(stat.mode, 01777U);
  EXPECT_EQ(stat.uid, 1234U);
  EXPECT_EQ(stat.gid, 4321U);
}

TEST(WritableGuest, removing_takes_trees_and_links_and_forgives_what_is_missing) {
  EXPECT_TRUE(ok(guest().remove("/opt/a")));
  EXPECT_TRUE(ok(guest().remove("/opt/a")));
  EXPECT_TRUE(ok(guest().symlink("/srv/folder", "/srv/to-folder")));
  EXPECT_TRUE(ok(guest().remove("/srv/to-folder")));
  EXPECT_EQ(guest().stat("/srv/folder")->kind, FileKind::directory);
}

TEST(WritableGuest, a_link_of_root_is_followed_inside_the_guest) {
  EXPECT_TRUE(ok(guest().make_dirs("/opt/real")));
  EXPECT_TRUE(ok(guest().symlink("/opt/real", "/srv/way")));
  EXPECT_TRUE(ok(guest().write("/srv/way/file", "x")));
  EXPECT_EQ(guest().lstat("/opt/real/file")->kind, FileKind::regular);
  EXPECT_TRUE(ok(guest().make_dirs("/srv/way/a/b")));
  EXPECT_TRUE(ok(guest().remove("/srv/way/a")));
  EXPECT_TRUE(ok(guest().remove("/srv/way/file")));
  EXPECT_TRUE(guest().list("/opt/real")->empty());
}

TEST(WritableGuest, a_link_in_a_file_s_place_is_replaced_and_its_end_stays) {
  const auto passwd = guest().lstat("/etc/passwd").value();
  EXPECT_TRUE(ok(guest().symlink("/etc/passwd", "/srv/planted")));
  EXPECT_FALSE(guest().chmod("/srv/planted", 0666).has_value());
  EXPECT_TRUE(ok(guest().chown("/srv/planted", 1000, 1000)));
  EXPECT_TRUE(ok(guest().put_file("/srv/planted", {"mine", {}}, {0600, 1000, 1000})));
  const auto made = guest().lstat("/srv/planted").value();
  EXPECT_EQ(made.kind, FileKind::regular);
  EXPECT_EQ(made.mode, 0600U);
  EXPECT_EQ(made.uid, 1000U);
  EXPECT_EQ(guest().lstat("/etc/passwd").value(), passwd);
  // Nothing else was left beside it.
  const auto beside = guest().list("/srv").value();
  for (const auto& entry : beside) EXPECT_FALSE(entry.name.starts_with(".")) << entry.name;
}

TEST(WritableGuest, a_file_that_gets_another_owner_or_group_loses_what_it_gave_away) {
  EXPECT_TRUE(ok(guest().put_file("/srv/given", {"x", {}}, {06775, 1000, 1000})));
  EXPECT_TRUE(ok(guest().put_file("/srv/given", {"y", {}}, {{}, {}, {}})));
  EXPECT_EQ(guest().lstat("/srv/given")->mode, 06775U);
  EXPECT_TRUE(ok(guest().put_file("/srv/given", {"z", {}}, {{}, {}, 0})));
  EXPECT_EQ(guest().lstat("/srv/given")->mode, 0755U);
  EXPECT_TRUE(ok(guest().put_file("/srv/given", {"z", {}}, {04755, 1000, {}})));
  EXPECT_TRUE(ok(guest().put_file("/srv/given", {"z", {}}, {{}, 0, {}})));
  EXPECT_EQ(guest().lstat("/srv/given")->mode, 0755U);
  EXPECT_TRUE(ok(guest().remove("/srv/given")));
}

TEST(WritableGuest, made_folders_are_root_s_whatever_the_folder_above_gives) {
  EXPECT_TRUE(ok(guest().make_dirs("/srv/shared")));
  EXPECT_TRUE(ok(guest().chown("/srv/shared", 0, 1000)));
  EXPECT_TRUE(ok(guest().chmod("/srv/shared", 02775)));
  EXPECT_TRUE(ok(guest().make_dirs("/srv/shared/a/b")));
  for (const char* path : {"/srv/shared/a", "/srv/shared/a/b"}) {
    EXPECT_EQ(guest().lstat(path)->mode, 0755U);
    EXPECT_EQ(guest().lstat(path)->gid, 0U);
  }
  EXPECT_EQ(guest().lstat("/srv/shared")->mode, 02775U);
  EXPECT_TRUE(ok(guest().remove("/srv/shared")));
}

TEST(WritableGuest, no_change_goes_through_a_link_that_another_account_controls) {
  EXPECT_TRUE(ok(guest().make_dirs("/home/alice")));
  EXPECT_TRUE(ok(guest().write("/home/alice/file", "x")));
  EXPECT_TRUE(ok(guest().chown("/home/alice", 1000, 1000)));
  EXPECT_TRUE(ok(guest().symlink("/etc", "/home/alice/app")));
  const auto before = guest().list("/etc").value().size();
  const std::string there = "/home/alice/app/passwd";
  const auto expect_refused = [](const auto& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::refused) << result.error().message;
    EXPECT_NE(result.error().message.find("/home/alice/app is a symbolic link"), std::string::npos) << result.error().message;
  };
  for (const std::uint32_t owner : {1000U, 0U}) {
    EXPECT_TRUE(ok(guest().chown("/home/alice/app", owner, owner)));
    expect_refused(guest().write(there, "x"));
    expect_refused(guest().make_dirs("/home/alice/app/new"));
    expect_refused(guest().make_dirs("/home/alice/app"));
    expect_refused(guest().remove(there));
    expect_refused(guest().symlink("x", "/home/alice/app/link"));
    expect_refused(guest().rename("/home/alice/file", there));
    expect_refused(guest().rename(there, "/home/alice/file"));
    expect_refused(guest().chmod(there, 0666));
    expect_refused(guest().chown(there, 1000, 1000));
    expect_refused(guest().augeas_edit("/home/alice/app/ssh/sshd_config", "sshd", {{"Port", "1"}}, {}));
    expect_refused(guest().unpack_tar("hotfix.tar", "/home/alice/app", {}));
    expect_refused(guest().unpack_tar("hotfix.tar", "/home/alice", {"app/version"}));
  }
  EXPECT_EQ(guest().list("/etc").value().size(), before);
  EXPECT_TRUE(ok(guest().remove("/home")));
}

TEST(WritableGuest, what_cannot_be_removed_is_an_error) {
  const auto payloads = guest().mount_payloads();
  ASSERT_TRUE(ok(payloads));
  EXPECT_FALSE(guest().remove(*payloads).has_value());
  EXPECT_TRUE(ok(guest().unmount_payloads()));
}

TEST(WritableCommand, output_of_both_streams_and_the_exit_code_are_kept) {
  const auto result = shell("echo out; echo err >&2; exit 7");
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->output, "out\nerr\n");
  EXPECT_FALSE(result->truncated);
}

TEST(WritableCommand, more_arguments_arrive_than_one_argument_of_a_shell_holds) {
  std::vector<std::string> argv{"/bin/sh", "-c", "all=\"$*\"; echo \"$# ${#all}\"", "x"};
  argv.resize(argv.size() + 300, std::string(1000, 'a'));
  const auto result = guest().command(argv, {}, Seconds(60));
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->output, "300 300299\n");
}

TEST(WritableCommand, arguments_and_environment_are_not_interpreted) {
  const std::string hostile = "a'b\"c$(id)`id`\\ \n*;\xff";
  const auto result = guest().command({"/bin/sh", "-c", "cat <<E\n$1|$V\nE", "x", hostile}, {{"V", hostile}}, Seconds(60));
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->output, hostile + "|" + hostile + "\n");
}

TEST(WritableCommand, environment_is_that_of_a_root_without_the_appliance) {
  const auto result = guest().command({"env"}, {{"DEBIAN_FRONTEND", "noninteractive"}}, Seconds(60));
  ASSERT_TRUE(ok(result));
  EXPECT_NE(result->output.find("DEBIAN_FRONTEND=noninteractive\n"), std::string::npos);
  EXPECT_NE(result->output.find("LANG=C.UTF-8\n"), std::string::npos);
  EXPECT_NE(result->output.find("HOME=/root\n"), std::string::npos);
  for (const char* appliance : {"guestfs", "LVM_SYSTEM_DIR", "LC_ALL"}) {
    EXPECT_EQ(result->output.find(appliance), std::string::npos) << result->output;
  }
  EXPECT_FALSE(guest().command({"env"}, {{"A;B", "x"}}, Seconds(60)).has_value());
}

TEST(WritableCommand, missing_program_gives_127) {
  const auto result = guest().command({"no-such-program"}, {}, Seconds(60));
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->exit_code, 127);
}

TEST(WritableCommand, long_output_keeps_its_end) {
  const auto result = shell("seq 1 900000");
  ASSERT_TRUE(ok(result));
  EXPECT_TRUE(result->truncated);
  EXPECT_EQ(result->output.size(), 4U << 20U);
  EXPECT_TRUE(result->output.ends_with("899999\n900000\n"));
}

TEST(WritableCommand, program_that_hangs_is_killed_and_reported_as_timeout) {
  const auto result = shell("sleep 600", Seconds(2));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_TRUE(ok(shell("true")));
}

TEST(WritableCommand, process_left_behind_holds_up_nothing) {
  const auto result = shell("(sleep 600 >/srv/held) & echo started");
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->output, "started\n");
  const auto left = shell("for p in /proc/[0-9]*; do read -r line <$p/cmdline; echo \"$line\"; done 2>/dev/null");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->output.find("sleep"), std::string::npos);
}

/// What a maintainer script may do, and how it ends. Whatever it is, the next command runs, and of this one nothing is left.
struct Hostile {
  const char* what;
  const char* script;
  Seconds timeout;
  std::optional<int> exit_code;  ///< without one: the limit ends it
  const char* output;            ///< a part of it, or of the error
};

const Hostile hostile_scripts[] = {
    {"fork bomb", "f() { f | f & }; f; sleep 600", Seconds(5), std::nullopt, "did not end within 5 s"},
    {"daemon of its own session", "setsid sleep 600 >/srv/held 2>&1 & echo ready", Seconds(60), 0, "ready\n"},
    {"daemon that holds the output", "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done') & echo ready", Seconds(60), 0, "ready\n"},
    {"endless output", "while :; do echo again and again; done", Seconds(3), std::nullopt, "the last line of its output: again and again"},
    {"endless bytes", "cat /dev/zero", Seconds(3), std::nullopt, "did not end within 3 s"},
    {"ignores the signal to end", "trap '' TERM; while :; do sleep 1; done", Seconds(2), std::nullopt, "/bin/sh did not end within 2 s"},
    {"fills the disk", "dd if=/dev/zero of=/srv/filler bs=1M; echo $?; rm /srv/filler", Seconds(120), 0, "No space left on device"},
    {"kills its parent", "kill -9 $PPID; kill -9 1; echo alive", Seconds(60), 0, "alive\n"},
    {"kills everything", "kill -9 -1; echo alive", Seconds(60), 0, "alive\n"},
    {"mounts over the guest", "mount -t tmpfs none /etc && mount -t tmpfs none /srv && umount -l /run && ls /etc | head -c 1; echo done", Seconds(60), 0, "done\n"},
    {"waits for input", "read -r line; echo \"got '$line'\"", Seconds(60), 0, "got ''\n"},
    {"waits on the console", "cat /dev/console", Seconds(2), std::nullopt, "did not end within 2 s"},
    {"looks for the appliance's processes", "set -- /proc/[0-9]*; echo $#", Seconds(60), 0, "2\n"},
};

TEST(HostileScript, ends_by_itself_or_by_its_limit_and_leaves_nothing_that_runs) {
  for (const Hostile& hostile : hostile_scripts) {
    SCOPED_TRACE(hostile.what);
    const auto result = shell(hostile.script, hostile.timeout);
    if (hostile.exit_code) {
      ASSERT_TRUE(ok(result));
      EXPECT_EQ(result->exit_code, *hostile.exit_code);
      EXPECT_NE(result->output.find(hostile.output), std::string::npos) << result->output;
    } else {
      ASSERT_FALSE(result.has_value());
      EXPECT_EQ(result.error().code, Errc::timeout) << result.error().message;
      EXPECT_NE(result.error().message.find(hostile.output), std::string::npos) << result.error().message;
    }
    const auto next = shell("cat /etc/hostname; set -- /proc/[0-9]*; echo $#");
    ASSERT_TRUE(ok(next));
    EXPECT_EQ(next->output, "small\n2\n");
    EXPECT_EQ(guest().read("/etc/hostname", 100).value(), "small\n");
  }
}

TEST(WritableCommand, there_is_no_network) {
  const auto result = guest().command({"ls", "/sys/class/net"}, {}, Seconds(60));
  ASSERT_TRUE(ok(result));
  EXPECT_EQ(result->output, "lo\n");
}

TEST(WritableAugeas, value_is_read_and_edited_with_one_lens) {
  EXPECT_EQ(guest().augeas_get("/etc/ssh/sshd_config", "sshd", "PermitRootLogin").value(), "yes");
  EXPECT_EQ(guest().augeas_get("/etc/ssh/sshd_config", "sshd", "Banner").value(), std::nullopt);
  EXPECT_TRUE(ok(guest().augeas_edit("/etc/ssh/sshd_config", "sshd", {{"PermitRootLogin", "no"}}, {"Port"})));
  EXPECT_EQ(guest().read("/etc/ssh/sshd_config", 1000).value(),
            "# comment\nPermitRootLogin no\nMatch User git\n    X11Forwarding no\n");
}

TEST(WritableAugeas, missing_file_wrong_lens_and_unreadable_file_are_errors) {
  EXPECT_EQ(guest().augeas_get("/etc/missing", "sshd", "x").error().code, Errc::not_found);
  EXPECT_FALSE(guest().augeas_get("/etc/hostname", "no_such_lens", "x").has_value());
  EXPECT_TRUE(ok(guest().write("/etc/broken", "[[[ not json")));
  const auto value = guest().augeas_get("/etc/broken", "json", "x");
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message.find("Augeas cannot read /etc/broken"), std::string::npos) << value.error().message;
}

TEST(WritablePayloads, files_appear_below_the_mount_point_and_it_goes_away) {
  const auto where = guest().mount_payloads();
  ASSERT_TRUE(ok(where));
  EXPECT_EQ(guest().read(*where + "/libssl3_3.0.11-1~deb12u2_amd64.deb", 100).value(), "deb\n");
  EXPECT_NE(shell("echo x > " + *where + "/new")->exit_code, 0);
  EXPECT_TRUE(ok(guest().unmount_payloads()));
  EXPECT_EQ(guest().lstat(*where).error().code, Errc::not_found);
}

TEST(WritablePayloads, a_file_is_put_from_the_payload_disk) {
  const std::string name = "libssl3_3.0.11-1~deb12u2_amd64.deb";
  EXPECT_FALSE(guest().put_file("/srv/early", {{}, name}, {}).has_value());
  ASSERT_TRUE(ok(guest().mount_payloads()));
  EXPECT_TRUE(ok(guest().put_file("/srv/put", {{}, name}, {0750, 7, 8})));
  EXPECT_EQ(guest().read("/srv/put", 100).value(), "deb\n");
  const auto stat = guest().lstat("/srv/put").value();
  EXPECT_EQ(stat.mode, 0750U);
  EXPECT_EQ(stat.uid, 7U);
  EXPECT_EQ(stat.gid, 8U);
  EXPECT_FALSE(guest().put_file("/srv/put", {{}, "../etc/passwd"}, {}).has_value());
  EXPECT_FALSE(guest().put_file("/srv/put", {{}, "missing"}, {}).has_value());
  EXPECT_EQ(guest().read("/srv/put", 100).value(), "deb\n");
  EXPECT_TRUE(ok(guest().unmount_payloads()));
  EXPECT_TRUE(ok(guest().remove("/srv/put")));
}

TEST(WritablePayloads, tar_file_is_unpacked_with_its_owners) {
  EXPECT_TRUE(ok(guest().make_dirs("/opt")));
  EXPECT_TRUE(ok(guest().unpack_tar("hotfix.tar", "/", {"opt/app/version"})));
  EXPECT_EQ(guest().read("/opt/app/version", 10).value(), "2\n");
  EXPECT_EQ(guest().lstat("/opt/app/version")->uid, 7U);
  EXPECT_FALSE(guest().unpack_tar("missing.tar", "/", {}).has_value());
  EXPECT_FALSE(guest().unpack_tar("../etc/passwd", "/", {}).has_value());
}

TEST(WritablePayloads, root_s_link_to_a_folder_stays_where_an_archive_has_that_folder) {
  EXPECT_TRUE(ok(guest().make_dirs("/srv/usr/opt")));
  EXPECT_TRUE(ok(guest().symlink("usr/opt", "/srv/opt")));
  EXPECT_TRUE(ok(guest().unpack_tar("hotfix.tar", "/srv", {"opt", "opt/app", "opt/app/version"})));
  EXPECT_EQ(guest().readlink("/srv/opt").value(), "usr/opt");
  EXPECT_EQ(guest().read("/srv/usr/opt/app/version", 10).value(), "2\n");
  EXPECT_TRUE(ok(guest().remove("/srv/opt")));
  EXPECT_TRUE(ok(guest().remove("/srv/usr")));
}

TEST(WritableGuest, free_space_is_that_of_the_file_system) {
  const auto bytes = guest().free_space("/srv");
  ASSERT_TRUE(ok(bytes));
  EXPECT_GT(*bytes, 1U << 20U);
  EXPECT_LT(*bytes, 96U << 20U);
}

// Closes the shared guest and looks at what it left, in a second appliance that only reads.
TEST(WritableGuestEnd, changes_are_on_the_overlay_its_file_system_is_clean_and_nothing_else_was_left) {
  ASSERT_TRUE(ok(shell("echo litter > /run/litter")));
  ASSERT_TRUE(ok(guest().write("/opt/bound/written", "bound")));
  ASSERT_TRUE(ok(guest().write("/opt/nas/written", "below what the guest mounts there")));
  Guests::get().finish_appliance();
  ServedGuest& served = Guests::get().served();
  served.verify_overlay();
  const auto opened = make_appliance_opener(served.log)->open_write(served.verify);
  ASSERT_TRUE(ok(opened));
  WritableGuest& after = **opened;
  EXPECT_EQ(after.read("/opt/app/version", 10).value(), "2\n");
  EXPECT_TRUE(after.list("/run")->empty());
  EXPECT_EQ(after.read("/opt/real/written", 10).value_or(""), "bound");
  for (const char* path : {"/opt/nas/tool", "/opt/one"}) {
    const auto hidden = after.digests({path});
    EXPECT_EQ(hidden.error().code, Errc::refused) << path;
    EXPECT_NE(hidden.error().message.find("fstab"), std::string::npos) << hidden.error().message;
  }
  EXPECT_EQ(after.read("/opt/memory/hidden", 100).error().code, Errc::not_found);
  EXPECT_FALSE(after.write("/etc/new", "x").has_value());
  EXPECT_FALSE(after.command({"true"}, {}, Seconds(10)).has_value());
  EXPECT_TRUE(ok(after.check_file_systems()));
  EXPECT_EQ(after.read("/srv/hello", 10).value(), "hello\n");
  EXPECT_TRUE(ok(after.finish()));
  EXPECT_EQ(after.read("/srv/hello", 10).error().code, Errc::failed);
  EXPECT_TRUE(fs::is_empty(served.dir / "work"));
  // The base is as it was.
  EXPECT_EQ(Guests::get().direct().read("/etc/ssh/sshd_config", 1000)->find("PermitRootLogin no"), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::guest::test
