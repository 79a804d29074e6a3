// Memory that is saved and restored, and disks that come and go while a machine runs.
#include "integration/gate/hook_test.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

class HookRestoreTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    publish();
    attest();
    ASSERT_TRUE(write_file_atomic(data(), std::string(4096, 'd')));
  }
  [[nodiscard]] fs::path data() const { return state_ / "disks" / "data.raw"; }
  void plug() {
    plugged_ = fmt::format("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vdb'/></disk>",
                           data().string());
  }
  void pull() { plugged_.clear(); }
  void write_data() { ASSERT_TRUE(write_file_atomic(data(), std::string(4096, 'e'))); }
  std::optional<ledger::SavedMemory> saved() { return *custody_store()->saved(uuid_); }
  int restore() {
    for (const char* operation : {"restore", "prepare", "start"}) {
      if (const int code = gate(operation); code != 0) return code;
    }
    run_qemu({"-incoming", "defer"}, "paused", "migration");
    return gate("started");
  }
  /// A machine that runs, as `virsh start` leaves it.
  void run_machine() {
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(gate("start"), 0) << last_error_;
    run_qemu({});
    ASSERT_EQ(gate("started"), 0) << last_error_;
  }
  int end_machine() {
    end_qemu();
    return shut_down();
  }
};

TEST_F(HookRestoreTest, restore_of_a_running_machine_leaves_its_custody_alone) {
  run_machine();
  write_disk();
  const ledger::Custody before = *custody();
  EXPECT_TRUE(denied(gate("restore"), "still-running"));
  EXPECT_EQ(custody()->identities, before.identities);
  EXPECT_TRUE(custody()->started);
  EXPECT_FALSE(custody()->lost);
  EXPECT_TRUE(custody_store()->rescans()->empty());
  ASSERT_EQ(end_machine(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookRestoreTest, restore_that_libvirt_refuses_afterwards_leaves_the_custody_alone) {
  // libvirt's status file is not where we look for it: nothing says that the machine runs.
  ASSERT_EQ(boot(), 0) << last_error_;
  const ledger::Custody before = *custody();
  ASSERT_TRUE(custody_store()->put_saved(uuid_, {.identities = identities(), .time = clock_.now(), .memory = true}));
  EXPECT_EQ(gate("restore"), 0) << last_error_;
  EXPECT_EQ(custody()->opened, before.opened);
  EXPECT_TRUE(custody()->started);
  write_disk();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
  EXPECT_FALSE(custody()->lost);
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookRestoreTest, migration_that_is_denied_leaves_the_custody_alone) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  EXPECT_TRUE(denied(gate("migrate"), "unattested-change"));
  EXPECT_FALSE(custody()->lost);
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookRestoreTest, calls_for_a_machine_that_lives_neither_end_nor_replace_its_custody) {
  run_machine();
  const Time opened = custody()->opened;
  write_disk();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  EXPECT_FALSE(custody()->lost);
  attest();
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(gate("release"), 0);
  EXPECT_EQ(custody()->opened, opened);
  EXPECT_TRUE(custody()->started);
  EXPECT_FALSE(custody()->closed);
}

TEST_F(HookRestoreTest, decision_of_a_restore_is_taken_over_once) {
  run_machine();
  write_disk();
  ASSERT_EQ(save(), 0);
  ASSERT_EQ(gate("restore"), 0) << last_error_;
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(custody()->operation, "restore");
  EXPECT_FALSE(custody_store()->restore(uuid_)->has_value());
  ASSERT_EQ(shut_down(), 0);  // the start failed
  ASSERT_TRUE(store()->publish_policy({{"schema", "vm-patch/gate-policy/v1"}, {"groups", Json::array()}}, {}));
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(custody()->operation, "prepare");
}

TEST_F(HookRestoreTest, override_of_a_restore_is_used_up_by_its_start) {
  run_machine();
  write_disk();
  ASSERT_EQ(save(), 0);
  ledger::Custody broken = *custody();
  broken.unbroken = false;
  ASSERT_TRUE(custody_store()->put(broken));
  ASSERT_TRUE(denied(gate("restore"), "unattested-change"));
  add_override();
  ASSERT_EQ(gate("restore"), 0) << last_error_;
  EXPECT_TRUE(custody_store()->used_overrides()->empty()) << "libvirt may refuse it yet";
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(custody_store()->used_overrides()->size(), 1U);
  EXPECT_FALSE(custody()->unbroken);
  EXPECT_EQ(gate("start"), 0) << last_error_;
  EXPECT_TRUE(denied(gate("restore"), "unattested-change"));
}

TEST_F(HookRestoreTest, memory_of_a_run_before_the_last_one_is_denied_whatever_the_group_and_an_override_says) {
  run_machine();
  ASSERT_EQ(save(), 0);
  EXPECT_EQ(gate("restore"), 0) << last_error_;
  run_machine();
  note_status("running", "booted", "none");
  ASSERT_EQ(gate("stopped"), 0);
  end_qemu();
  ASSERT_EQ(gate("release"), 0);
  EXPECT_TRUE(saved()->without_memory);
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed")) << "no disk has changed, and still it is older memory";
  attest();
  add_override();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
  publish("    action: warn\n");
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookRestoreTest, memory_of_a_suspended_machine_is_recorded) {
  for (const auto& [state, reason] : {std::pair{"paused", "user"}, std::pair{"pmsuspended", "unknown"}}) {
    run_machine();
    end_qemu();
    note_status(state, reason, "save");
    ASSERT_EQ(gate("stopped"), 0);
    drop_status();
    ASSERT_EQ(gate("release"), 0);
    EXPECT_TRUE(saved()->memory) << state;
    EXPECT_EQ(gate("restore"), 0) << last_error_;
  }
}

TEST_F(HookRestoreTest, end_that_another_daemon_tells_was_not_seen) {
  daemon_ = "100 1";
  run_machine();
  daemon_ = "200 2";
  ASSERT_EQ(gate("reconnect"), 0);
  write_disk();
  ASSERT_EQ(end_machine(), 0);
  ASSERT_EQ(gate("prepare"), 0) << "it was there again before the end: " << last_error_;
  ASSERT_EQ(gate("release"), 0);
  run_machine();
  write_disk();
  daemon_ = "300 3";
  ASSERT_EQ(end_machine(), 0);
  EXPECT_TRUE(custody()->lost);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  EXPECT_TRUE(denied(gate("restore"), "unattested-change"));
}

TEST_F(HookRestoreTest, save_is_recorded_with_the_disks_until_the_machine_starts_again) {
  run_machine();
  write_disk();
  ASSERT_EQ(save(), 0);
  ASSERT_TRUE(saved());
  EXPECT_TRUE(saved()->memory);
  EXPECT_FALSE(saved()->managed);
  EXPECT_EQ(saved()->identities, identities());
  const auto rows = custody_store()->records(1, 100);
  EXPECT_EQ(std::ranges::count(*rows, "gate.save", &ledger::AuditRow::action), 1);
  EXPECT_EQ(restore(), 0) << last_error_;
  EXPECT_FALSE(saved()->memory);
  ASSERT_EQ(end_machine(), 0);
  EXPECT_FALSE(saved()->memory);
}

TEST_F(HookRestoreTest, save_is_known_by_the_reason_that_later_libvirts_give) {
  run_machine();
  end_qemu();
  ASSERT_EQ(gate("stopped"), 0);
  ASSERT_EQ(gate("release", "saved"), 0);
  EXPECT_TRUE(saved()->memory);
}

TEST_F(HookRestoreTest, any_other_end_saved_no_memory) {
  for (const auto& [state, reason, job] : {std::tuple{"shutdown", "unknown", "none"}, {"paused", "user", "save"}, {"paused", "save", "none"},
                                           {"running", "booted", "dump"}, {"paused", "save", "dump"}}) {
    run_machine();
    end_qemu();
    note_status(state, reason, job);
    ASSERT_EQ(gate("stopped", "shutdown"), 0);
    drop_status();
    ASSERT_EQ(gate("release", "shutdown"), 0);
    EXPECT_FALSE(saved()->memory) << state << reason << job;
  }
}

TEST_F(HookRestoreTest, saved_memory_outlasts_denied_and_failed_starts_and_ends_with_a_cold_boot) {
  run_machine();
  write_disk();
  ASSERT_EQ(save(), 0);
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  ASSERT_EQ(gate("start"), 0) << last_error_;
  ASSERT_EQ(shut_down(), 0);  // a start that failed
  EXPECT_TRUE(saved()->memory);
  write_disk();
  ASSERT_TRUE(denied(gate("prepare"), "unattested-change"));
  ASSERT_EQ(shut_down(), 0);
  EXPECT_TRUE(saved()->memory);
  attest();
  run_machine();
  EXPECT_FALSE(saved()->memory);
  const auto rows = custody_store()->records(1, 100);
  EXPECT_EQ(std::ranges::count(*rows, "gate.forget-save", &ledger::AuditRow::action), 1);
}

TEST_F(HookRestoreTest, memory_of_a_machine_whose_start_nobody_saw_is_recorded_and_restored) {
  run_qemu({});
  ASSERT_EQ(save(), 0);
  EXPECT_FALSE(custody());
  ASSERT_TRUE(saved());
  EXPECT_TRUE(saved()->memory);
  EXPECT_EQ(restore(), 0) << last_error_;
}

TEST_F(HookRestoreTest, save_while_the_custody_is_held_is_recorded_by_the_next_call) {
  run_machine();
  write_disk();
  const auto store = custody_store();
  ASSERT_TRUE(store->together([&]() -> Result<void> {
    VMPATCH_CHECK(store->record("test", "", Json::object(), {}));
    EXPECT_EQ(save(), 0);
    return {};
  }));
  EXPECT_EQ(restore(), 0) << last_error_;
}

TEST_F(HookRestoreTest, disk_that_could_not_be_read_at_the_save_makes_the_disks_unknown_not_changed) {
  run_machine();
  fs::rename(image(), state_ / "away");
  ASSERT_EQ(save(), 0);
  fs::rename(state_ / "away", image());
  EXPECT_TRUE(saved()->identities.is_null());
  attest();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-unknown"));
  add_override();
  EXPECT_EQ(gate("restore"), 0) << last_error_;
}

TEST_F(HookRestoreTest, disk_that_was_plugged_in_live_is_not_missed_at_the_next_start) {
  run_machine();
  plug();
  write_disk();
  write_data();
  ASSERT_EQ(end_machine(), 0);
  pull();
  EXPECT_EQ(boot(), 0) << last_error_;
}

TEST_F(HookRestoreTest, disk_that_joined_the_definition_is_denied_until_it_is_attested) {
  run_machine();
  plug();
  ASSERT_EQ(end_machine(), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  EXPECT_NE(last_error_.find("disk vdb is new"), std::string::npos) << last_error_;
}

TEST_F(HookRestoreTest, disk_that_was_pulled_out_live_must_be_as_it_was_when_the_machine_started) {
  plug();
  ledger::Attestation attestation = *store()->attestation(uuid_).value();
  auto machine = inventory::parse_domain_xml(xml("web01", plugged_), "test");
  attestation.identities = to_json(load_identities(*machine));
  attestation.time = clock_.now();
  ASSERT_TRUE(store()->attest_checked(attestation));
  run_machine();
  write_disk();
  pull();
  ASSERT_EQ(end_machine(), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change")) << "without vdb";
  EXPECT_NE(last_error_.find("disk vdb is gone"), std::string::npos) << last_error_;
  ASSERT_EQ(shut_down(), 0);
  plug();
  run_machine();
  pull();
  write_data();
  ASSERT_EQ(end_machine(), 0);
  plug();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookRestoreTest, machine_saved_with_a_plugged_disk_goes_on_with_it_and_boots_without_it) {
  run_machine();
  plug();
  write_disk();
  write_data();
  ASSERT_EQ(save(), 0);
  ASSERT_EQ(restore(), 0) << last_error_;
  write_disk();
  write_data();
  ASSERT_EQ(save(), 0);
  ASSERT_EQ(restore(), 0) << last_error_;
  write_disk();
  ASSERT_EQ(end_machine(), 0);
  pull();
  EXPECT_EQ(boot(), 0) << last_error_;
}

TEST_F(HookRestoreTest, plugged_disk_that_changed_under_the_saved_memory_is_denied) {
  run_machine();
  plug();
  ASSERT_EQ(save(), 0);
  write_data();
  EXPECT_TRUE(denied(gate("restore"), "saved-disks-changed"));
}

}  // namespace
}  // namespace vmpatch::gate
