// The hook cannot hurt: storage, databases and state folders that are broken, held or silent.
#include <sys/stat.h>

#include "integration/gate/hook_test.hpp"
#include "integration/gate/silent_storage.hpp"
#include "ledger/sqlite/database.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

class HookLimitTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    publish();
    attest();
  }
  /// Another process is in the middle of a transaction and stays there.
  void with_locked_custody(const std::function<void()>& work) {
    const auto store = custody_store();
    ASSERT_TRUE(store->together([&]() -> Result<void> {
      VMPATCH_CHECK(store->record("test", "", Json::object(), {}));
      work();
      return {};
    }));
  }
  void with_locked_ledger(const std::function<void()>& work) {
    auto database = ledger::Database::open(state_ / "ledger.sqlite", {});
    ASSERT_TRUE(database && database->execute("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE policy SET id = 1"));
    work();
    ASSERT_TRUE(database->execute("ROLLBACK"));
  }
};

/// Ways in which the state folder can be of no use.
struct Trouble {
  const char* title;
  std::function<void(const fs::path& state)> make;
};

std::vector<Trouble> troubles() {
  const auto replace = [](const char* file, const std::string& content) {
    return [file, content](const fs::path& state) {
      for (const char* end : {"", "-wal", "-shm"}) fs::remove(state / (std::string(file) + end));
      ASSERT_TRUE(write_file_atomic(state / file, content, 0600));
    };
  };
  const auto folder = [](const char* file) {
    return [file](const fs::path& state) {
      fs::remove(state / file);
      ASSERT_TRUE(make_dirs(state / file));
    };
  };
  return {
      {"no ledger", [](const fs::path& state) { fs::remove(state / "ledger.sqlite"); }},
      {"no custody", [](const fs::path& state) { fs::remove(state / "custody.sqlite"); }},
      {"damaged ledger", replace("ledger.sqlite", std::string(8192, 'x'))},
      {"damaged custody", replace("custody.sqlite", std::string(8192, 'x'))},
      {"empty ledger", replace("ledger.sqlite", "")},
      {"ledger is a folder", folder("ledger.sqlite")},
      {"custody is a folder", folder("custody.sqlite")},
      {"state folder that others may write", [](const fs::path& state) { ASSERT_EQ(::chmod(state.c_str(), 0777), 0); }},
      {"neither of them", [](const fs::path& state) {
         for (const char* file : {"ledger.sqlite", "custody.sqlite"}) fs::remove(state / file);
       }},
  };
}

TEST_F(HookLimitTest, cold_boot_goes_on_whatever_is_wrong_with_the_state_folder) {
  for (const Trouble& trouble : troubles()) {
    SCOPED_TRACE(trouble.title);
    HookTest::TearDown();
    SetUp();
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(gate("start"), 0) << last_error_;
    run_qemu({});
    write_disk();
    trouble.make(state_);
    EXPECT_EQ(gate("started"), 0) << last_error_;
    EXPECT_EQ(last_error_, "");
    end_qemu();
    EXPECT_EQ(shut_down(), 0);
  }
}

TEST_F(HookLimitTest, revert_is_denied_whatever_is_wrong_with_the_state_folder) {
  for (const Trouble& trouble : troubles()) {
    SCOPED_TRACE(trouble.title);
    HookTest::TearDown();
    SetUp();
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(gate("start"), 0) << last_error_;
    run_qemu({"-loadvm", "before"}, "paused", "user");
    write_disk();
    trouble.make(state_);
    EXPECT_EQ(gate("started"), denied_exit_code) << last_error_;
    EXPECT_NE(last_error_.find("denied: "), std::string::npos) << last_error_;
    end_qemu();
    EXPECT_EQ(shut_down(), 0);
  }
}

TEST_F(HookLimitTest, held_custody_ends_no_cold_boot_and_costs_no_custody) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  ASSERT_EQ(gate("start"), 0) << last_error_;
  run_qemu({});
  with_locked_custody([&] { EXPECT_EQ(gate("started"), 0) << last_error_; });
  EXPECT_FALSE(custody()->started) << "the database was held: only the mark can know";
  write_disk();
  end_qemu();
  ASSERT_EQ(shut_down(), 0);
  EXPECT_EQ(boot(), 0) << last_error_;
}

TEST_F(HookLimitTest, held_ledger_ends_no_cold_boot) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  with_locked_ledger([&] {
    EXPECT_EQ(gate("started"), 0) << last_error_;
    EXPECT_NE(gate("prepare"), 0) << "the lock is none";
  });
}

TEST_F(HookLimitTest, held_custody_denies_a_revert) {
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  run_qemu({"-loadvm", "before"}, "paused", "user");
  write_disk();
  with_locked_custody([&] { EXPECT_EQ(gate("started"), denied_exit_code); });
  EXPECT_NE(last_error_.find("denied: "), std::string::npos) << last_error_;
}

TEST_F(HookLimitTest, held_custody_denies_a_start_in_a_closed_group_and_passes_in_an_open_one) {
  with_locked_custody([&] { EXPECT_EQ(gate("prepare"), denied_exit_code); });
  EXPECT_NE(last_error_.find("denied: "), std::string::npos) << last_error_;
  publish("    on_error: open\n");
  with_locked_custody([&] { EXPECT_EQ(gate("prepare"), 0) << last_error_; });
}

TEST_F(HookLimitTest, end_that_could_not_be_recorded_is_recorded_by_the_next_call) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  with_locked_custody([&] { EXPECT_EQ(shut_down(), 0); });
  EXPECT_FALSE(custody()->closed);
  EXPECT_EQ(boot(), 0) << last_error_;
}

TEST_F(HookLimitTest, change_after_an_end_that_could_not_be_recorded_is_denied) {
  ASSERT_EQ(boot(), 0) << last_error_;
  with_locked_custody([&] { EXPECT_EQ(shut_down(), 0); });
  write_disk();
  with_locked_custody([&] {
    EXPECT_EQ(gate("prepare"), denied_exit_code);
    EXPECT_EQ(shut_down(), 0);  // of the denied start: not the end of a run
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
    EXPECT_EQ(shut_down(), 0);
  }
}

TEST_F(HookLimitTest, denied_start_while_the_custody_is_held_ends_no_earlier_run) {
  ASSERT_EQ(boot(), 0) << last_error_;  // and its end was never seen
  write_disk();
  with_locked_custody([&] { EXPECT_EQ(gate("prepare"), denied_exit_code); });
  EXPECT_EQ(shut_down(), 0);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookLimitTest, silent_storage_of_a_disk_ends_in_a_verdict_that_names_it) {
  const fs::path folder = state_ / "silent";
  ASSERT_TRUE(make_dirs(folder));
  SilentStorage storage(folder);
  plugged_ = fmt::format("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}/data.raw'/><target dev='vdb'/></disk>"
                         "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vdc'/></disk>",
                         folder.string(), image().string());
  EXPECT_TRUE(denied(gate("prepare"), "disk-unreadable"));
  EXPECT_NE(last_error_.find("disk vdb has no identity: its storage (" + folder.string() + "/data.raw) did not answer"), std::string::npos)
      << last_error_;
  EXPECT_GE(storage.waiting(), 1);
  EXPECT_EQ(custody_store()->records(1, 10)->size(), 1U) << "a denial that is recorded";
  publish("    on_error: open\n");
  EXPECT_EQ(boot(), 0) << last_error_;
  EXPECT_FALSE(custody()->unbroken);
  EXPECT_EQ(shut_down(), 0);
  EXPECT_TRUE(custody()->closed);
  for (const char* operation : {"reconnect", "attach"}) EXPECT_EQ(gate(operation), 0);
  publish();
  EXPECT_TRUE(denied(gate("restore"), "disk-unreadable"));
  EXPECT_TRUE(denied(gate("migrate"), "disk-unreadable"));
  storage.end();
}

TEST_F(HookLimitTest, what_is_left_behind_at_silent_storage_holds_none_of_libvirts_streams) {
  SilentStorage storage(image().parent_path());
  const fs::path input = state_ / "input";
  ASSERT_EQ(::mkfifo(input.c_str(), 0600), 0);
  ASSERT_TRUE(write_file_atomic(state_ / "xml", xml()));
  Command command;
  // As libvirt, `cat` waits until nobody has the other end.
  command.argv = {"/bin/sh", "-c", "cat \"$0/xml\" >\"$0/input\" & { \"$@\" 2>&1 <\"$0/input\"; echo \"code $?\"; } | cat", state_.string()};
  for (const std::string& word : gate_command("prepare")) command.argv.push_back(word);
  const auto output = run(command);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_NE(output->out.find("denied: disk-unreadable: "), std::string::npos) << output->out;
  EXPECT_TRUE(output->out.ends_with("\ncode 20\n")) << output->out;
  EXPECT_GE(storage.waiting(), 1);
  const UniqueFd writer(::open(input.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_FALSE(writer) << "somebody still has the input";
}

TEST_F(HookLimitTest, silent_storage_at_the_end_of_a_run_ends_its_custody_and_breaks_it) {
  ASSERT_EQ(boot(), 0) << last_error_;
  write_disk();
  {
    SilentStorage storage(image().parent_path());
    EXPECT_EQ(shut_down(), 0);
    EXPECT_GE(storage.waiting(), 1);
  }
  ASSERT_TRUE(custody()->closed);
  EXPECT_FALSE(custody()->unbroken);
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookLimitTest, silent_state_folder_denies_starts_and_passes_everything_else) {
  const fs::path folder = state_ / "silent";
  ASSERT_TRUE(make_dirs(folder));
  SilentStorage storage(folder);
  const fs::path state = state_;
  const auto call_on_silent = [&](const std::string& operation) {
    Command command;
    command.argv = gate_command(operation);
    command.argv[2] = folder.string();
    command.input = xml();
    auto output = run(command);
    EXPECT_TRUE(output) << operation << ": " << (output ? "" : output.error().message);
    if (!output) return -1;
    last_error_ = output->err;
    return output->exit_code;
  };
  for (const char* operation : {"prepare", "start", "restore", "migrate"}) EXPECT_TRUE(denied(call_on_silent(operation), "timeout")) << operation;
  for (const char* operation : {"started", "stopped", "release", "reconnect", "attach", "new"}) {
    EXPECT_EQ(call_on_silent(operation), 0) << operation;
    EXPECT_EQ(last_error_, "") << operation;
  }
  run_qemu({"-loadvm", "before"}, "paused", "user");
  EXPECT_TRUE(denied(call_on_silent("started"), "timeout"));
  EXPECT_GE(storage.waiting(), 1);
  storage.end();
}

}  // namespace
}  // namespace vmpatch::gate
