// Wall time of the whole process `vm-patch-gate`, from spawn to exit, over a ledger of 10,000 attested machines.
// Usage: bench_gate_decision [FOLDER [RUNS]]. The folder's file system decides what the fsync of a custody record costs.

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/policy/policy.hpp"

namespace {

using namespace vmpatch;

constexpr int machines = 10'000;

std::string domain_xml(const std::string& uuid, const fs::path& image) {
  return fmt::format(
      "<domain type='qemu'><name>web01</name><uuid>{}</uuid><memory>65536</memory><os><type>hvm</type></os><devices>"
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/>"
      "</disk></devices></domain>",
      uuid, image.string());
}

Result<void> fill_ledger(const fs::path& folder, const std::string& measured, const std::string& xml) {
  const SystemClock clock;
  VMPATCH_TRY(auto store, ledger::open_store(folder / "ledger.sqlite", clock));
  VMPATCH_TRY(const auto policy, policy::parse_policy("schema: vm-patch/config/v1\ngroups:\n  - name: web\n"
                                                      "    match: {names: [\"web*\"]}\n"
                                                      "    baseline: {attested: true, recipes: {debian-12-openssl: 3}}\n", "bench"));
  VMPATCH_CHECK(store->publish_policy(policy::gate_policy_json(policy), {}));
  VMPATCH_TRY(auto machine, inventory::parse_domain_xml(xml, "bench"));
  ledger::Attestation attestation;
  attestation.time = clock.now();
  attestation.identities = gate::to_json(gate::load_identities(machine));
  attestation.satisfied = Json::array({{{"id", "debian-12-openssl"}, {"version", 3}, {"digest", "00"}}});
  attestation.envelope = std::string(1500, 'x');
  // One transaction for all: alone, each would be synced.
  return store->together([&]() -> Result<void> {
    for (int i = 0; i < machines; ++i) {
      attestation.machine_uuid = i == machines / 2 ? measured : random_uuid();
      attestation.machine_name = fmt::format("web{:05}", i);
      VMPATCH_CHECK(store->attest_checked(attestation));
    }
    return {};
  });
}

struct Spent {
  double wall = -1;  ///< milliseconds; negative when it did not end as expected
  double processor = 0;
};

double milliseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

Spent run_once(const fs::path& state, const char* operation, const fs::path& xml_file, int expected) {
  const std::string state_text = state.string();
  // In memory, as /run is.
  const std::string run_text = "/dev/shm/" + state.parent_path().filename().string();
  const std::vector<const char*> words{VMPATCH_GATE_PROGRAM, "--state-dir", state_text.c_str(), "--run-dir", run_text.c_str(), "--", "web01",
                                       operation, "begin", "-", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, xml_file.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  int status = 0;
  const auto begin = std::chrono::steady_clock::now();
  const int spawned = posix_spawn(&pid, VMPATCH_GATE_PROGRAM, &actions, nullptr, const_cast<char**>(words.data()), environ);
  rusage usage{};
  if (spawned == 0) wait4(pid, &status, 0, &usage);
  const auto end = std::chrono::steady_clock::now();
  // It does not wait for its own children; they come to us.
  double processor = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
  while (wait4(-1, nullptr, 0, &usage) > 0) processor += milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
  posix_spawn_file_actions_destroy(&actions);
  const bool fine = spawned == 0 && WIFEXITED(status) && WEXITSTATUS(status) == expected;
  if (!fine) return {};
  return {std::chrono::duration<double, std::milli>(end - begin).count(), processor};
}

bool measure(const char* title, const fs::path& state, const char* operation, const fs::path& xml_file, int expected, int runs) {
  std::vector<double> times;
  std::vector<double> processor;
  for (int i = 0; i < runs; ++i) {
    const Spent spent = run_once(state, operation, xml_file, expected);
    if (spent.wall < 0) {
      std::fprintf(stderr, "%s: vm-patch-gate did not end with %d\n", title, expected);
      return false;
    }
    // What libvirt calls in the end, also after a denial: it keeps the custody database small.
    if (run_once(state, "release", xml_file, 0).wall < 0) return false;
    times.push_back(spent.wall);
    processor.push_back(spent.processor);
  }
  std::ranges::sort(times);
  std::ranges::sort(processor);
  const auto at = [&](double part) { return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))]; };
  std::printf("%-28s median %6.2f ms   p99 %6.2f ms   worst %6.2f ms   processor %5.2f ms   (%d runs)\n", title, at(0.5), at(0.99), times.back(),
              processor[processor.size() / 2], runs);
  return true;
}

Result<void> bench(const fs::path& folder, int runs) {
  VMPATCH_CHECK(make_dirs(folder, 0700));
  const fs::path image = folder / "web01.qcow2";
  Command create;
  create.argv = {"qemu-img", "create", "-q", "-f", "qcow2", image.string(), "1G"};
  VMPATCH_CHECK(run_checked(create));
  const std::string measured = random_uuid();
  const std::string xml = domain_xml(measured, image);
  VMPATCH_CHECK(write_file_atomic(folder / "known.xml", xml, 0600));
  VMPATCH_CHECK(write_file_atomic(folder / "unknown.xml", domain_xml(random_uuid(), image), 0600));
  VMPATCH_CHECK(fill_ledger(folder, measured, xml));
  std::printf("%d machines, ledger of %s\n", machines, format_size(fs::file_size(folder / "ledger.sqlite")).c_str());
  const bool fine = measure("prepare, attested: allow", folder, "prepare", folder / "known.xml", 0, runs) &&
                    measure("start, repeated check: allow", folder, "start", folder / "known.xml", 0, runs) &&
                    measure("prepare, not attested: deny", folder, "prepare", folder / "unknown.xml", gate::denied_exit_code, runs);
  if (!fine) return fail(Errc::failed, "the gate gave another answer than expected");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const fs::path base = argc > 1 ? fs::path(argv[1]) : fs::temp_directory_path();
  const int runs = argc > 2 ? std::atoi(argv[2]) : 500;
  // The anchor lies beside the state folder.
  const fs::path folder = base / ("vm-patch-bench-" + random_uuid());
  const auto done = bench(folder / "state", std::max(runs, 1));
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  const auto removed = remove_tree(folder);
  const auto marks_removed = remove_tree(fs::path("/dev/shm") / folder.filename());
  return done && removed && marks_removed ? 0 : 1;
}
