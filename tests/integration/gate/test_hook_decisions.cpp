#include "integration/gate/hook_test.hpp"

namespace vmpatch::gate {
namespace {

const std::vector<std::string> deciding{"prepare", "start", "started", "restore", "migrate"};
const std::vector<std::string> events{"stopped", "release", "reconnect", "attach", "something-new"};

class HookDecisionTest : public HookTest {
 protected:
  /// A run of this process that has the machine's lease.
  ledger::Run living_run() {
    ledger::Run run;
    run.id = random_uuid();
    run.machine_uuid = uuid_;
    run.holder = *ledger::this_holder();
    EXPECT_TRUE(store()->create_run(run));
    EXPECT_TRUE(store()->lease(run.id, run.holder, {}));
    return run;
  }
};

TEST_F(HookDecisionTest, without_a_ledger_every_start_is_denied_and_what_runs_already_passes) {
  for (const std::string operation : {"prepare", "start", "restore", "migrate"}) {
    EXPECT_TRUE(denied(gate(operation), "ledger-unreadable")) << operation;
  }
  EXPECT_EQ(gate("started"), 0) << last_error_;
  for (const std::string& operation : events) EXPECT_EQ(gate(operation), 0) << operation;
}

TEST_F(HookDecisionTest, without_a_policy_nothing_is_required) {
  store();
  for (const std::string& operation : deciding) EXPECT_EQ(gate(operation), 0) << operation << last_error_;
}

TEST_F(HookDecisionTest, unattested_machine_is_denied_with_one_helpful_line) {
  publish();
  EXPECT_EQ(gate("prepare"), denied_exit_code);
  EXPECT_EQ(last_error_,
            "vm-patch: start of web01 denied: not-attested: there is no attestation of this machine; check it with `vm-patch verify -d "
            "web01 -r BUNDLE` or patch it with `vm-patch apply -d web01 -r BUNDLE`\n");
  EXPECT_TRUE(denied(gate("restore"), "not-attested"));
  EXPECT_EQ(last_error_.rfind("vm-patch: restore of web01 denied", 0), 0U);
  EXPECT_TRUE(denied(gate("migrate"), "not-attested"));
}

TEST_F(HookDecisionTest, attested_machine_starts) {
  publish();
  attest();
  EXPECT_EQ(boot(), 0) << last_error_;
  EXPECT_EQ(last_error_, "");
}

TEST_F(HookDecisionTest, allowed_is_said_with_the_code_that_the_script_asks_for) {
  publish();
  const auto code = [&](const std::string& allowed, const std::string& operation) {
    Command command;
    command.argv = gate_command(operation);
    command.argv.insert(command.argv.begin() + 1, {"--allowed-code", allowed});
    command.input = xml();
    return run(command)->exit_code;
  };
  EXPECT_EQ(code("10", "prepare"), denied_exit_code);
  EXPECT_EQ(code("10", "reconnect"), 0);
  EXPECT_EQ(code("10", "started"), 10);
  attest();
  for (const char* operation : {"prepare", "start"}) EXPECT_EQ(code("10", operation), 10) << operation;
  for (const char* wrong : {"0", "-1", "126", "x", "10x", ""}) {
    EXPECT_EQ(code(wrong, "prepare"), 0) << "no option of ours, so a name and an unknown operation";
  }
}

TEST_F(HookDecisionTest, machine_in_no_group_starts) {
  publish();
  EXPECT_EQ(call("prepare", xml("db01"), "db01").exit_code, 0);
}

TEST_F(HookDecisionTest, warn_group_starts_and_it_is_recorded) {
  publish("    action: warn\n");
  EXPECT_EQ(gate("prepare"), 0);
  const auto rows = custody_store()->records(1, 10);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).action, "gate.warn");
  EXPECT_EQ(rows->at(0).data.at("rule"), "not-attested");
  EXPECT_FALSE(custody()->unbroken);
}

TEST_F(HookDecisionTest, unreadable_disk_counts_as_the_group_says) {
  publish();
  attest();
  fs::rename(image(), state_ / "away");
  EXPECT_TRUE(denied(gate("prepare"), "disk-unreadable"));
  publish("    on_error: open\n");
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookDecisionTest, damaged_custody_counts_as_the_group_says) {
  publish();
  attest();
  ASSERT_TRUE(write_file_atomic(state_ / "custody.sqlite", std::string(4096, 'x'), 0600));
  EXPECT_TRUE(denied(gate("prepare"), "custody-unreadable"));
  for (const std::string& operation : events) EXPECT_EQ(gate(operation), 0) << operation;
  EXPECT_EQ(call("prepare", xml("db01"), "db01").exit_code, 0) << "no group, no baseline";
  publish("    on_error: open\n");
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookDecisionTest, machine_under_a_living_run_is_denied_whatever_its_group) {
  const auto run = living_run();
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
  ASSERT_TRUE(store()->advance(run.id, ledger::RunState::leased, ledger::RunState::discarded, {}, "test"));
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookDecisionTest, a_run_forbids_the_start_whatever_is_wrong_with_the_custody_and_whatever_the_group_says) {
  living_run();
  ASSERT_TRUE(write_file_atomic(state_ / "custody.sqlite", std::string(4096, 'x'), 0600));
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
  publish("    on_error: open\n");
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
}

TEST_F(HookDecisionTest, dead_run_denies_only_from_committing_on) {
  using enum ledger::RunState;
  store();
  ledger::Run run;
  run.id = random_uuid();
  run.machine_uuid = uuid_;
  run.holder = *ledger::this_holder();
  run.holder.start_time += 1;
  ASSERT_TRUE(store()->create_run(run));
  ASSERT_TRUE(store()->lease(run.id, run.holder, {}));
  ledger::RunState from = leased;
  for (const ledger::RunState to : {staged, patched, verified}) {
    ASSERT_TRUE(store()->advance(run.id, from, to, {}, ""));
    EXPECT_EQ(gate("prepare"), 0) << last_error_;
    from = to;
  }
  ASSERT_TRUE(store()->advance(run.id, verified, committing, {}, ""));
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
  ASSERT_TRUE(store()->advance(run.id, committing, quarantined, {}, "x"));
  EXPECT_TRUE(denied(gate("prepare"), "quarantined"));
}

TEST_F(HookDecisionTest, torn_disk_is_denied_under_any_uuid_and_below_any_clone_whatever_the_group) {
  using enum ledger::RunState;
  store();
  auto machine = inventory::parse_domain_xml(xml(), "test");
  ASSERT_TRUE(machine);
  ledger::Run run;
  run.id = random_uuid();
  run.machine_uuid = random_uuid();
  run.holder = *ledger::this_holder();
  run.holder.start_time += 1;
  ASSERT_TRUE(store()->create_run(run));
  ASSERT_TRUE(store()->lease(run.id, run.holder, {image::file_id(load_identities(*machine).at("vda").front())}));
  ledger::RunState from = leased;
  for (const ledger::RunState to : {staged, patched, verified, committing}) {
    ASSERT_TRUE(store()->advance(run.id, from, to, {}, ""));
    from = to;
  }
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished")) << "no group, another UUID";
  add_override();
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
  uuid_ = random_uuid();
  const fs::path clone = state_ / "disks" / "clone.qcow2";
  Command create;
  create.argv = {"/usr/bin/qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image().string(), clone.string()};
  ASSERT_TRUE(run_checked(create));
  std::string of_clone = xml("clone01");
  of_clone.replace(of_clone.find(image().string()), image().string().size(), clone.string());
  last_error_ = call("prepare", of_clone, "clone01").err;
  EXPECT_TRUE(denied(denied_exit_code, "run-unfinished"));
  const auto with = [&](const std::string& old, const std::string& to) {
    std::string text = xml("other01");
    text.replace(text.find(old), old.size(), to);
    return text;
  };
  const auto answer = [&](const std::string& text) {
    const auto output = call("prepare", text, "other01");
    last_error_ = output.err;
    return output.exit_code;
  };
  const std::vector<std::string> others{with("<target", "<readonly/><target"), with(" type='qcow2'", ""),
                                        with(fmt::format("type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>", image().string()),
                                             "type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='p' volume='web01.qcow2'/>")};
  EXPECT_TRUE(denied(answer(others[0]), "run-unfinished")) << "read-only";
  EXPECT_TRUE(denied(answer(others[1]), "torn-disk-possible")) << "without a format";
  EXPECT_TRUE(denied(answer(others[2]), "torn-disk-possible")) << "of a pool that is not known";
  const fs::path pool = run_dir() / "libvirt" / "storage" / "p.xml";
  ASSERT_TRUE(make_dirs(pool.parent_path()));
  ASSERT_TRUE(write_file_atomic(pool, fmt::format("<poolstate><pool type='dir'><name>p</name><target><path>{}</path></target></pool></poolstate>",
                                                  image().parent_path().string())));
  EXPECT_TRUE(denied(answer(others[2]), "run-unfinished")) << "a volume";
  EXPECT_EQ(answer(with("type='file' device='disk'", "type='network' device='disk'")), 0) << last_error_;
  ASSERT_TRUE(store()->advance(run.id, committing, discarded, {}, "went back"));
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(call("prepare", of_clone, "clone01").exit_code, 0);
  for (const std::string& other : others) EXPECT_EQ(answer(other), 0) << last_error_;
}

TEST_F(HookDecisionTest, proof_denies_exactly_one_machine) {
  store();
  ASSERT_TRUE(write_file_atomic(state_ / "gate-proof", uuid_ + "\n", 0600));
  EXPECT_TRUE(denied(gate("prepare"), "proof"));
  uuid_ = random_uuid();
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

TEST_F(HookDecisionTest, state_folder_in_the_environment_is_not_believed) {
  store();
  Command command;
  command.argv = {VMPATCH_GATE_PROGRAM, "--run-dir", run_dir().string(), "--", "web01", "prepare", "begin", "-"};
  command.input = xml();
  command.extra_env["VM_PATCH_STATE_DIR"] = state_.string();
  ASSERT_TRUE(run(command));
  EXPECT_FALSE(fs::exists(state_ / "custody.sqlite"));
}

TEST_F(HookDecisionTest, many_machines_at_once_all_start_and_the_chain_holds) {
  store();
  std::vector<Child> children;
  for (int i = 0; i < 8; ++i) {
    uuid_ = random_uuid();
    Command command;
    command.argv = gate_command("prepare");
    command.input = xml();
    auto child = Child::start(command);
    ASSERT_TRUE(child);
    children.push_back(std::move(*child));
  }
  for (Child& child : children) EXPECT_EQ(*child.wait(std::chrono::seconds(60)), 0);
  EXPECT_EQ(*custody_store()->verify(), 8);
}

}  // namespace
}  // namespace vmpatch::gate
