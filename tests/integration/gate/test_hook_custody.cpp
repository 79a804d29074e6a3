#include <sys/stat.h>

#include "integration/gate/hook_test.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

class HookCustodyTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    publish();
    attest();
  }
};

TEST_F(HookCustodyTest, run_of_a_machine_hands_its_disks_on_to_the_next_start) {
  ASSERT_EQ(boot(), 0) << last_error_;
  EXPECT_TRUE(custody()->started);
  EXPECT_FALSE(custody()->closed);
  write_disk();
  ASSERT_EQ(shut_down(), 0);
  ASSERT_TRUE(custody()->closed);
  EXPECT_EQ(custody()->identities, identities());
  EXPECT_EQ(boot(), 0) << last_error_;
  write_disk();
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookCustodyTest, change_while_shut_off_is_denied_and_queued_for_a_rescan) {
  ASSERT_EQ(boot(), 0) << last_error_;
  ASSERT_EQ(shut_down(), 0);
  write_disk();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  const auto rescans = custody_store()->rescans();
  ASSERT_EQ(rescans->size(), 1U);
  EXPECT_EQ(rescans->at(0).machine_uuid, uuid_);
  attest();
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookCustodyTest, release_after_a_denied_start_launders_nothing) {
  write_disk();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
    EXPECT_EQ(shut_down(), 0);  // libvirt calls these after a denial, too
  }
}

TEST_F(HookCustodyTest, machine_that_ran_when_the_host_went_down_stays_denied) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  auto crashed = *custody();
  crashed.boot_id = "another-boot";
  ASSERT_TRUE(custody_store()->put(crashed));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
    EXPECT_NE(last_error_.find("host went down"), std::string::npos) << last_error_;
    EXPECT_EQ(shut_down(), 0);
  }
}

TEST_F(HookCustodyTest, end_that_was_not_seen_in_this_boot_is_not_made_up_for_by_a_denied_start) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
    EXPECT_TRUE(custody()->lost);
    fs::remove_all(run_dir() / "vm-patch-gate");  // neither what is marked nor what is not
    EXPECT_EQ(shut_down(), 0);
  }
}

TEST_F(HookCustodyTest, failed_start_after_libvirt_changed_the_owner_may_be_repeated) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  ASSERT_EQ(gate("start"), 0) << last_error_;
  ASSERT_EQ(::chmod(image().c_str(), 0600), 0);  // moves ctime, as chown does
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(boot(), 0) << last_error_;
}

TEST_F(HookCustodyTest, run_whose_started_was_missed_is_known_by_its_end) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  ASSERT_EQ(gate("start"), 0) << last_error_;
  write_disk();
  note_status("shutdown", "unknown", "none");
  ASSERT_EQ(gate("stopped"), 0);
  drop_status();
  ASSERT_EQ(gate("release"), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookCustodyTest, failed_start_does_not_hide_a_written_disk) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  write_disk();
  note_status("paused", "starting up", "start");
  ASSERT_EQ(gate("stopped"), 0);
  drop_status();
  ASSERT_EQ(gate("release"), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookCustodyTest, disk_written_between_prepare_and_start_is_denied) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  write_disk();
  EXPECT_TRUE(denied(gate("start"), "changed-since-prepare"));
}

TEST_F(HookCustodyTest, saved_machine_is_restored_while_its_disks_are_the_same) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  ASSERT_EQ(shut_down(), 0);  // managed save
  for (const char* operation : {"restore", "prepare", "start", "started"}) EXPECT_EQ(gate(operation), 0) << operation << last_error_;
  EXPECT_EQ(custody()->operation, "restore");
  EXPECT_TRUE(custody()->started);
}

TEST_F(HookCustodyTest, saved_machine_whose_disks_changed_is_denied_even_with_an_attestation) {
  ASSERT_EQ(boot(), 0) << last_error_;
  ASSERT_EQ(shut_down(), 0);
  write_disk();
  attest();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
  add_override();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
}

TEST_F(HookCustodyTest, memory_saved_before_the_gate_was_there_is_denied) {
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-unknown"));
}

TEST_F(HookCustodyTest, override_lets_it_start_once_and_proves_nothing) {
  write_disk();
  ASSERT_TRUE(denied(gate("prepare"), "unattested-change"));
  add_override();
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  ASSERT_EQ(shut_down(), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  EXPECT_EQ(custody_store()->used_overrides()->size(), 1U);
}

TEST_F(HookCustodyTest, override_is_used_up_by_a_start_that_changed_nothing) {
  write_disk();
  add_override();
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookCustodyTest, time_without_a_baseline_does_not_count_as_custody) {
  ASSERT_TRUE(store()->publish_policy({{"schema", "vm-patch/gate-policy/v1"}, {"groups", Json::array()}}, {}));
  write_disk();
  ASSERT_EQ(boot(), 0) << last_error_;
  ASSERT_EQ(shut_down(), 0);
  publish();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookCustodyTest, decisions_and_events_are_in_the_chain) {
  ASSERT_EQ(boot(), 0) << last_error_;
  ASSERT_EQ(shut_down(), 0);
  write_disk();
  EXPECT_EQ(gate("prepare"), denied_exit_code);
  EXPECT_EQ(gate("reconnect"), 0);
  std::vector<std::string> actions;
  const auto rows = custody_store()->records(1, 100);
  for (const ledger::AuditRow& row : *rows) actions.push_back(row.action + " " + row.data.value("operation", ""));
  EXPECT_EQ(actions, (std::vector<std::string>{"gate.allow prepare", "gate.allow started", "gate.event stopped", "records.changed ",
                                               "gate.event release", "gate.deny prepare", "gate.event reconnect"}));
  EXPECT_EQ(*custody_store()->verify(), 7);
}

}  // namespace
}  // namespace vmpatch::gate
