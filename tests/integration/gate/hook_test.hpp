#pragma once
// The real vm-patch-gate over a real ledger and a real qcow2 file, called as libvirt calls it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::gate {

class HookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The anchor lies beside the state folder.
    base_ = fs::canonical(fs::temp_directory_path()) / ("vm-patch-gate-" + random_uuid());
    state_ = base_ / "state";
    ASSERT_TRUE(make_dirs(state_, 0700));
    Command create;
    create.argv = {"qemu-img", "create", "-q", "-f", "qcow2", image().string(), "64M"};
    ASSERT_TRUE(run_checked(create));
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(base_)); }

  [[nodiscard]] fs::path image() const { return state_ / "web01.qcow2"; }
  [[nodiscard]] std::string xml(const std::string& name = "web01") const {
    return fmt::format(
        "<domain type='qemu'><name>{}</name><uuid>{}</uuid><memory>65536</memory><os><type>hvm</type></os><devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/>"
        "</disk></devices></domain>",
        name, uuid_, image().string());
  }

  CommandOutput call(const std::string& operation, const std::string& input, const std::string& name = "web01") {
    Command command;
    command.argv = {VMPATCH_GATE_PROGRAM, "--state-dir", state_.string(), "--", name, operation, "begin", "-"};
    command.input = input;
    auto output = run(command);
    EXPECT_TRUE(output) << (output ? "" : output.error().message);
    EXPECT_EQ(output->out, "") << operation;
    return *output;
  }
  int gate(const std::string& operation) {
    last_error_ = {};
    CommandOutput output = call(operation, xml());
    last_error_ = output.err;
    return output.exit_code;
  }
  /// prepare, start, started: what `virsh start` makes libvirt call.
  int boot() {
    for (const char* operation : {"prepare", "start", "started"}) {
      if (const int code = gate(operation); code != 0) return code;
    }
    return 0;
  }
  int shut_down() { return gate("stopped") + gate("release"); }

  std::unique_ptr<ledger::Store> store() {
    auto opened = ledger::open_store(state_ / "ledger.sqlite", clock_);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  std::unique_ptr<ledger::CustodyStore> custody_store() {
    auto opened = ledger::CustodyStore::open(state_ / "custody.sqlite");
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  std::optional<ledger::Custody> custody() { return *custody_store()->last(uuid_); }

  /// Group web of all machines named web*; `more` are further lines of the group.
  void publish(const std::string& more = "") {
    const auto policy = policy::parse_policy("schema: vm-patch/config/v1\ngroups:\n  - name: web\n    match: {names: [\"web*\"]}\n"
                                             "    baseline: {attested: true}\n" + more, "test");
    ASSERT_TRUE(policy) << policy.error().message;
    ASSERT_TRUE(store()->publish_policy(policy::gate_policy_json(*policy), {}));
  }
  Json identities() {
    auto machine = inventory::parse_domain_xml(xml(), "test");
    EXPECT_TRUE(machine) << (machine ? "" : machine.error().message);
    const Identities found = load_identities(*machine);
    EXPECT_EQ(found.size(), 1U) << machine->disks.at(0).problem;
    return to_json(found);
  }
  void attest() {
    ledger::Attestation attestation;
    attestation.machine_uuid = uuid_;
    attestation.machine_name = "web01";
    attestation.time = clock_.now();
    attestation.identities = identities();
    attestation.satisfied = Json::array({{{"id", "any"}, {"version", 1}, {"digest", "00"}}});
    ASSERT_TRUE(store()->attest_checked(attestation));
  }
  void add_override() {
    ledger::Override entry;
    entry.id = random_uuid();
    entry.machine_uuid = uuid_;
    entry.identities = identities();
    entry.reason = "fire";
    entry.created = clock_.now();
    entry.expires = clock_.now() + Seconds(600);
    ASSERT_TRUE(store()->add_override(entry));
  }
  /// As QEMU, or somebody with guestfish, would.
  void write_disk() {
    const UniqueFd fd(::open(image().c_str(), O_WRONLY | O_CLOEXEC | O_APPEND));
    ASSERT_TRUE(write_all(fd.get(), std::string(65536, 'x')));
  }
  ::testing::AssertionResult denied(int code, std::string_view rule) {
    const std::string wanted = fmt::format("denied: {}: ", rule);
    if (code == 1 && last_error_.find(wanted) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "exit " << code << ", stderr: " << last_error_;
  }

  fs::path base_, state_;
  std::string uuid_ = random_uuid();
  SystemClock clock_;
  std::string last_error_;
};

}  // namespace vmpatch::gate
