#pragma once
// The real vm-patch-gate over a real ledger and a real qcow2 file, called as libvirt calls it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/gate/decision.hpp"
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
    ASSERT_TRUE(make_dirs(run_dir() / "libvirt" / "qemu"));
    ASSERT_TRUE(make_dirs(image().parent_path()));
    Command create;
    create.argv = {"qemu-img", "create", "-q", "-f", "qcow2", image().string(), "64M"};
    ASSERT_TRUE(run_checked(create));
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(base_)); }

  [[nodiscard]] fs::path image() const { return state_ / "disks" / "web01.qcow2"; }
  [[nodiscard]] fs::path run_dir() const { return state_ / "run"; }
  [[nodiscard]] fs::path mark() const { return run_dir() / "vm-patch-gate" / uuid_; }
  [[nodiscard]] std::vector<std::string> gate_command(const std::string& operation, const std::string& name = "web01",
                                                      const std::string& extra = "-") const {
    std::vector<std::string> words{VMPATCH_GATE_PROGRAM, "--state-dir", state_.string(), "--run-dir", run_dir().string()};
    if (!daemon_.empty()) words.insert(words.end(), {"--daemon", daemon_});
    words.insert(words.end(), {"--", name, operation, "begin", extra});
    return words;
  }
  /// `disks` are further ones.
  [[nodiscard]] std::string xml(const std::string& name = "web01", const std::string& disks = "") const {
    return fmt::format(
        "<domain type='qemu'><name>{}</name><uuid>{}</uuid><memory>65536</memory><os><type>hvm</type></os><devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/>"
        "</disk>{}</devices></domain>",
        name, uuid_, image().string(), disks);
  }

  CommandOutput call(const std::string& operation, const std::string& input, const std::string& name = "web01",
                     const std::string& extra = "-") {
    Command command;
    command.argv = gate_command(operation, name, extra);
    command.input = input;
    auto output = run(command);
    EXPECT_TRUE(output) << (output ? "" : output.error().message);
    EXPECT_EQ(output->out, "") << operation;
    return *output;
  }
  int gate(const std::string& operation, const std::string& extra = "-") {
    const CommandOutput output = call(operation, xml("web01", plugged_), "web01", extra);
    last_error_ = output.err;
    return output.exit_code;
  }
  /// What libvirt notes of the machine while its QEMU lives.
  void note_status(const std::string& state, const std::string& reason, const std::string& job, const std::string& name = "web01") {
    ASSERT_TRUE(write_file_atomic(run_dir() / "libvirt" / "qemu" / (name + ".xml"),
                                  fmt::format("<domstatus state='{}' reason='{}' pid='{}'><job type='none' async='{}'/><domain type='qemu'><name>{}"
                                              "</name><uuid>{}</uuid></domain></domstatus>",
                                              state, reason, qemu_.pid() > 0 ? qemu_.pid() : 4'000'000, job, name, uuid_)));
  }
  void drop_status() { fs::remove(run_dir() / "libvirt" / "qemu" / "web01.xml"); }
  /// A process with the command line of the machine's QEMU, and what libvirt notes of it.
  void run_qemu(const std::vector<std::string>& more, const std::string& state = "running", const std::string& reason = "booted") {
    Command command;
    command.argv = {"/bin/sh", "-c", "while :; do sleep 60; done", "qemu", "-uuid", uuid_};
    command.argv.insert(command.argv.end(), more.begin(), more.end());
    auto child = Child::start(command);
    ASSERT_TRUE(child) << child.error().message;
    qemu_ = std::move(*child);
    note_status(state, reason, "start");
  }
  void end_qemu() {
    qemu_ = {};
    drop_status();
  }
  /// stopped and release as for `virsh save` and `virsh managedsave`.
  int save() {
    end_qemu();
    note_status("paused", "save", "save");
    const int stopped = gate("stopped");
    drop_status();
    return stopped + gate("release");
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
    if (code == denied_exit_code && last_error_.find(wanted) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "exit " << code << ", stderr: " << last_error_;
  }

  fs::path base_, state_;
  std::string uuid_ = random_uuid();
  SystemClock clock_;
  std::string plugged_;  ///< further disks of the XML
  std::string daemon_;   ///< who calls; empty: nobody that is known
  Child qemu_;
  std::string last_error_;
};

}  // namespace vmpatch::gate
