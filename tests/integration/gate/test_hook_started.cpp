// At `started` a cold boot is told from a snapshot revert by what libvirt and the kernel say. They are believed where they are
// positive, and read as carefully as any other input.
#include <sys/stat.h>

#include "integration/gate/hook_test.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

class HookStartedTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    publish();
    attest();
  }
  [[nodiscard]] fs::path status() const { return run_dir() / "libvirt" / "qemu" / "web01.xml"; }
  void prepare() {
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(gate("start"), 0) << last_error_;
  }
};

TEST_F(HookStartedTest, snapshot_that_qemu_loads_is_decided_on_the_disks_as_they_are_then) {
  prepare();
  run_qemu({"-incoming", "x", "-loadvm", "before"}, "paused", "user");
  write_disk();
  EXPECT_TRUE(denied(gate("started"), "unattested-change"));
  end_qemu();
  note_status("paused", "user", "start");
  EXPECT_EQ(gate("stopped"), 0);
  drop_status();
  EXPECT_EQ(gate("release"), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change")) << "the end of what was denied proves nothing";
}

TEST_F(HookStartedTest, snapshot_that_leads_to_attested_disks_is_allowed_and_under_custody) {
  prepare();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  write_disk();
  attest();
  EXPECT_EQ(gate("started"), 0) << last_error_;
  EXPECT_EQ(custody()->operation, "started");
  EXPECT_TRUE(custody()->started && custody()->unbroken);
  write_disk();
  end_qemu();
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookStartedTest, job_of_libvirt_names_a_snapshot_while_the_processors_stand_still) {
  prepare();
  run_qemu({});
  write_disk();
  note_status("paused", "user", "snapshot");
  EXPECT_TRUE(denied(gate("started"), "unattested-change"));
  // An offline snapshot, started by the revert: `prepare` saw its disks, and they move since it boots.
  note_status("running", "booted", "snapshot");
  EXPECT_EQ(gate("started"), 0) << last_error_;
}

TEST_F(HookStartedTest, group_that_warns_or_is_open_reverts_all_the_same) {
  prepare();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  write_disk();
  publish("    action: warn\n");
  EXPECT_EQ(gate("started"), 0) << last_error_;
  publish("    on_error: open\n");
  fs::rename(image(), state_ / "away");
  EXPECT_EQ(gate("started"), 0) << last_error_;
}

TEST_F(HookStartedTest, records_that_are_none_end_a_revert_whatever_the_group_says) {
  prepare();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  publish("    action: warn\n    on_error: open\n");
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(state_ / (std::string("custody.sqlite") + end));
  ASSERT_TRUE(write_file_atomic(state_ / "custody.sqlite", std::string(8192, 'x'), 0600));
  EXPECT_TRUE(denied(gate("started"), "records-tampered"));
}

TEST_F(HookStartedTest, start_that_no_prepare_was_seen_of_goes_on_without_custody) {
  write_disk();
  run_qemu({});
  EXPECT_EQ(gate("started"), 0) << last_error_;
  EXPECT_FALSE(custody());
}

TEST_F(HookStartedTest, started_of_another_start_does_not_revive_a_custody) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  ledger::Custody old = *custody();
  old.opened -= Seconds(3600);
  ASSERT_TRUE(custody_store()->put(old));
  EXPECT_EQ(gate("started"), 0) << last_error_;
  EXPECT_FALSE(custody()->started);
}

TEST_F(HookStartedTest, what_only_looks_like_a_revert_ends_no_cold_boot) {
  prepare();
  write_disk();
  const std::string uuid = uuid_;
  // The kernel's command line is the machine's own text.
  run_qemu({"-append", "-loadvm", "-S"});
  EXPECT_EQ(gate("started"), 0) << last_error_;
  run_qemu({"-name", "guest=-loadvm,x", "-append", "a -loadvm b", "-loadvm"});
  EXPECT_EQ(gate("started"), 0) << "a last word without a name: " << last_error_;
  // Another machine's QEMU, or a process that has got its number.
  uuid_ = random_uuid();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  uuid_ = uuid;
  EXPECT_EQ(gate("started"), 0) << last_error_;
  note_status("paused", "user", "start");
  EXPECT_EQ(gate("started"), 0) << last_error_;
}

TEST_F(HookStartedTest, status_file_that_cannot_be_read_is_no_knowledge) {
  prepare();
  write_disk();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  const std::string good = *read_file(status());
  const std::vector<std::string> broken{"", "x", "<domstatus/>", good.substr(0, 60), good + std::string(5U << 20U, ' '),
                                        "<!DOCTYPE d [<!ENTITY a 'b'>]>" + good};
  for (const std::string& text : broken) {
    ASSERT_TRUE(write_file_atomic(status(), text));
    EXPECT_EQ(gate("started"), 0) << text.substr(0, 60);
  }
  ASSERT_TRUE(write_file_atomic(state_ / "good", good));
  fs::remove(status());
  fs::create_symlink(state_ / "good", status());
  EXPECT_EQ(gate("started"), 0) << "a link";
  fs::remove(status());
  ASSERT_EQ(::mkfifo(status().c_str(), 0600), 0);
  EXPECT_EQ(gate("started"), 0) << "a FIFO";
  fs::remove(status());
  ASSERT_TRUE(make_dirs(status()));
  EXPECT_EQ(gate("started"), 0) << "a folder";
  fs::remove(status());
  ASSERT_TRUE(write_file_atomic(status(), good));
  EXPECT_TRUE(denied(gate("started"), "unattested-change")) << "the good one";
}

TEST_F(HookStartedTest, name_of_a_machine_leads_to_no_other_file) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  write_disk();
  run_qemu({"-loadvm", "before"}, "paused", "user");
  fs::rename(status(), run_dir() / "libvirt" / "web01.xml");
  EXPECT_EQ(call("started", xml("../web01"), "../web01").exit_code, 0);
  for (const char* name : {".", "..", "/", "a/b"}) EXPECT_EQ(call("started", xml(name), name).exit_code, 0) << name;
}

TEST_F(HookStartedTest, mark_is_private_and_gone_when_the_machine_has_ended) {
  prepare();
  struct stat info {};
  ASSERT_EQ(::lstat(mark().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(::lstat(mark().parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ASSERT_EQ(gate("started"), 0);
  ASSERT_EQ(shut_down(), 0);
  EXPECT_FALSE(fs::exists(mark()));
  write_disk();
  ASSERT_TRUE(denied(gate("prepare"), "unattested-change"));
  ASSERT_EQ(shut_down(), 0);
  EXPECT_FALSE(fs::exists(mark()));
}

TEST_F(HookStartedTest, mark_that_is_not_ours_or_of_another_boot_counts_for_nothing_and_is_never_followed) {
  const fs::path victim = state_ / "victim";
  ASSERT_TRUE(write_file_atomic(victim, "kept"));
  const fs::path folder = mark().parent_path();
  const auto run_once = [&] {
    attest();
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(gate("started"), 0) << last_error_;
    write_disk();
    ASSERT_EQ(shut_down(), 0);
    EXPECT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(shut_down(), 0);
    EXPECT_EQ(*read_file(victim), "kept");
  };
  ASSERT_TRUE(make_dirs(folder, 0700));
  fs::create_symlink(victim, mark());
  run_once();
  fs::remove(mark());
  ASSERT_EQ(::mkfifo(mark().c_str(), 0600), 0);
  run_once();
  fs::remove_all(folder);
  ASSERT_TRUE(make_dirs(folder));
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  ASSERT_TRUE(write_file_atomic(mark(), R"({"boot":")" + *boot_id() + R"(","opened":1,"started":true,"memory":true,"managed":true})"));
  run_once();
  EXPECT_FALSE((*custody_store()->saved(uuid_))->memory);
  fs::remove_all(folder);
  fs::create_symlink(state_ / "disks", folder);
  run_once();
  EXPECT_FALSE(fs::exists(state_ / "disks" / uuid_));
  fs::remove(folder);
  ASSERT_TRUE(make_dirs(folder, 0700));
  for (const char* text : {"", "x", "{}", R"({"boot":7})", R"({"boot":"another","opened":1,"started":true,"memory":true,"managed":true})"}) {
    ASSERT_TRUE(write_file_atomic(mark(), text, 0600));
    run_once();
    EXPECT_FALSE((*custody_store()->saved(uuid_))->memory) << text;
  }
}

TEST_F(HookStartedTest, end_in_a_mark_that_this_version_cannot_read_is_one_that_was_not_seen) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  Json json = *parse_json(*read_file(mark()), "mark");
  json["end"] = {{"time", 1}, {"identities", {{"vda", "another form"}}}, {"unread", Json::array()}};
  ASSERT_TRUE(write_file_atomic(mark(), dump_json(json), 0600));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
    EXPECT_EQ(shut_down(), 0);
  }
}

}  // namespace
}  // namespace vmpatch::gate
