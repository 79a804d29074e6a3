// The script that `gate install` writes, run by /bin/sh as libvirt runs it, over programs that are broken in every way.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "cli/gate/hook_file.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::cli {
namespace {

const std::vector<std::string> always{"prepare", "start", "restore", "migrate"};
const std::vector<std::string> never{"stopped", "release", "reconnect", "attach", "something-new", "", "prepare-not"};

class HookScriptTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(make_dirs(folder_)); }
  void TearDown() override { ASSERT_TRUE(remove_tree(folder_)); }

  [[nodiscard]] fs::path program() const { return folder_ / "it's a program"; }
  [[nodiscard]] fs::path state() const { return folder_ / "it's a state"; }
  void write_program(const std::string& text, mode_t mode = 0755) { ASSERT_TRUE(write_file_atomic(program(), "#!/bin/sh\n" + text + "\n", mode)); }

  CommandOutput call(const std::vector<std::string>& words) {
    const fs::path script = folder_ / "50-vm-patch";
    EXPECT_TRUE(write_file_atomic(script, hook_script(program(), state()), 0755));
    Command command;
    command.argv = {script.string()};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.input = "<domain/>";
    auto output = run(command);
    EXPECT_TRUE(output);
    EXPECT_EQ(output->out, "") << "libvirt takes it for the domain's XML";
    return *output;
  }
  int code(const std::string& operation) { return call({"web -rf $(id);x", operation, "begin", "-"}).exit_code; }

  void expect_codes(bool fails_always, bool fails_started) {
    for (const std::string& operation : always) EXPECT_EQ(code(operation) != 0, fails_always) << operation;
    EXPECT_EQ(code("started") != 0, fails_started);
    for (const std::string& operation : never) EXPECT_EQ(code(operation), 0) << operation;
  }

  fs::path folder_ = fs::canonical(fs::temp_directory_path()) / ("vm-patch-script-" + random_uuid());
};

TEST_F(HookScriptTest, program_that_is_gone_denies_starts_and_ends_no_running_machine) {
  expect_codes(true, false);
  EXPECT_NE(call({"web", "prepare", "begin", "-"}).err.find("vm-patch: denied: the gate's program gave no answer (exit code 127)"),
            std::string::npos);
}

TEST_F(HookScriptTest, program_that_cannot_be_executed_denies_starts_and_ends_no_running_machine) {
  write_program("exit 0", 0644);
  expect_codes(true, false);
  fs::remove(program());
  ASSERT_TRUE(make_dirs(program()));
  expect_codes(true, false);
  fs::remove(program());
  ASSERT_TRUE(write_file_atomic(program(), "#!/no/such/interpreter\n", 0755));
  expect_codes(true, false);
  ASSERT_TRUE(write_file_atomic(program(), "\x7f" "ELF torn", 0755));
  expect_codes(true, false);
}

TEST_F(HookScriptTest, empty_or_torn_program_denies_starts_and_ends_no_running_machine) {
  for (const std::string& content : {std::string(), std::string(4096, '\0'), std::string("\n")}) {
    ASSERT_TRUE(write_file_atomic(program(), content, 0755));
    expect_codes(true, false);
  }
}

TEST_F(HookScriptTest, program_that_crashes_or_fails_denies_starts_and_ends_no_running_machine) {
  // "exit 0" as an empty file, or a torn one, that the shell takes for a script.
  for (const char* end : {"exit 0", "kill -SEGV $$", "kill -KILL $$", "kill -ABRT $$", "exit 1", "exit 2", "exit 127", "exit 255"}) {
    SCOPED_TRACE(end);
    write_program(end);
    expect_codes(true, false);
  }
}

TEST_F(HookScriptTest, host_without_room_for_a_process_denies_starts_and_ends_no_running_machine) {
  write_program("exit 0");
  const fs::path script = folder_ / "50-vm-patch";
  ASSERT_TRUE(write_file_atomic(script, hook_script(program(), state()), 0755));
  // An account of its own: it has this one process, and may have no other.
  const auto squeezed = [&](const std::string& operation) {
    Command command;
    command.argv = {"/usr/bin/setpriv", "--reuid=64987", "--regid=64987", "--clear-groups", "/usr/bin/prlimit", "--nproc=1", script.string(),
                    "web", operation, "begin", "-"};
    auto output = run(command);
    EXPECT_TRUE(output);
    EXPECT_NE(output->err.find("fork"), std::string::npos) << output->err;
    return output->exit_code;
  };
  for (const std::string& operation : always) EXPECT_EQ(squeezed(operation), gate::denied_exit_code) << operation;
  EXPECT_EQ(squeezed("started"), 0);
  for (const std::string& operation : never) EXPECT_EQ(squeezed(operation), 0) << operation;
}

TEST_F(HookScriptTest, denial_of_the_program_counts_at_started_too) {
  write_program("exit " + std::to_string(gate::denied_exit_code));
  expect_codes(true, true);
}

TEST_F(HookScriptTest, program_that_allows_is_believed) {
  write_program("exit " + std::to_string(gate::allowed_exit_code));
  expect_codes(false, false);
}

TEST_F(HookScriptTest, program_gets_libvirts_words_and_input_and_its_error_output_is_shown) {
  write_program("cat >\"$0.input\"; printf '%s|' \"$@\" >\"$0.words\"; echo noise; echo why >&2; exit 20");
  const CommandOutput output = call({"web -rf $(id);x", "prepare", "begin", "-"});
  EXPECT_EQ(output.exit_code, 20);
  EXPECT_EQ(output.err, "why\n");
  EXPECT_EQ(*read_file(program().string() + ".input"), "<domain/>");
  EXPECT_EQ(*read_file(program().string() + ".words"), "--state-dir|" + state().string() + "|--allowed-code|10|--|web -rf $(id);x|prepare|begin|-|");
}

TEST_F(HookScriptTest, call_without_words_ends_well) { EXPECT_EQ(call({}).exit_code, 0); }

TEST_F(HookScriptTest, its_form_and_its_program_are_recognised) {
  const std::string script = hook_script(program(), state());
  EXPECT_EQ(called_program(script, state()), program());
  EXPECT_EQ(called_program(hook_script("/usr/libexec/vm-patch/vm-patch-gate", "/var/lib/vm-patch"), "/var/lib/vm-patch"),
            "/usr/libexec/vm-patch/vm-patch-gate");
  EXPECT_FALSE(called_program(script, "/var/lib/vm-patch"));
  EXPECT_FALSE(called_program(script + "\n", state()));
  EXPECT_FALSE(called_program(script + "exit 1\n", state()));
  EXPECT_FALSE(called_program("", state()));
  std::string edited = script;
  edited.replace(edited.find("'\\''"), 4, "'\\'';id;'");
  EXPECT_FALSE(called_program(edited, state()) == program());
  // What earlier versions wrote.
  EXPECT_FALSE(called_program("#!/bin/sh\n# Written by 'vm-patch gate install'. Remove it with 'vm-patch gate uninstall'.\nexec " +
                              shell_quoted(program().string()) + " --state-dir " + shell_quoted(state().string()) + " -- \"$@\"\n", state()));
}

}  // namespace
}  // namespace vmpatch::cli
