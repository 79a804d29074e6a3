#include <sys/stat.h>

#include <algorithm>

#include "integration/gate/hook_test.hpp"

namespace vmpatch::gate {
namespace {

class HookHostileTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    publish();
    attest();
  }
  /// Standard input is a FIFO that never ends.
  CommandOutput call_without_end(const std::string& operation) {
    const fs::path fifo = state_ / "fifo";
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    Command command;
    command.argv = {"/bin/sh", "-c", "exec \"$@\" <>" + fifo.string(), "sh"};
    for (const std::string& word : gate_command(operation)) command.argv.push_back(word);
    auto output = run(command);
    fs::remove(fifo);
    EXPECT_TRUE(output);
    return *output;
  }
};

TEST_F(HookHostileTest, input_without_end_is_a_denial_where_something_is_decided) {
  const CommandOutput output = call_without_end("prepare");
  EXPECT_EQ(output.exit_code, denied_exit_code);
  EXPECT_EQ(output.out, "");
  EXPECT_NE(output.err.find("denied: timeout: "), std::string::npos) << output.err;
}

TEST_F(HookHostileTest, input_without_end_passes_where_nothing_is_decided) {
  const CommandOutput output = call_without_end("reconnect");
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.err, "");
}

TEST_F(HookHostileTest, xml_that_is_none_denies_a_start_and_passes_an_event) {
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "<a>";
  const std::string bomb = "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'xxxxxxxxxx'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
                           "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><domain><name>&c;</name></domain>";
  const std::string file = "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>";
  const std::vector<std::string> inputs{"", "x", xml().substr(0, 200), deep, bomb, file, "<domain/>", std::string("\0\0", 2),
                                        xml() + std::string(5U << 20U, ' ')};
  for (const std::string& input : inputs) {
    const CommandOutput start = call("prepare", input);
    EXPECT_EQ(start.exit_code, denied_exit_code) << input.substr(0, 60);
    EXPECT_NE(start.err.find("denied: xml-unreadable: "), std::string::npos) << start.err;
    EXPECT_EQ(std::ranges::count(start.err, '\n'), 1) << start.err;
    EXPECT_EQ(start.err.find("root:"), std::string::npos);
    for (const char* event : {"release", "reconnect", "stopped", "attach"}) EXPECT_EQ(call(event, input).exit_code, 0) << event;
  }
}

TEST_F(HookHostileTest, name_cannot_forge_lines_or_escape_sequences) {
  write_disk();
  const std::string name = "web -rf $(id);x\nvm-patch: all is well\x1b[31m\xe2\x80\xae";
  const CommandOutput output = call("prepare", xml("web&#10;x"), name);
  EXPECT_EQ(output.exit_code, denied_exit_code);
  EXPECT_EQ(std::ranges::count(output.err, '\n'), 1) << output.err;
  EXPECT_EQ(output.err.find('\x1b'), std::string::npos);
  EXPECT_NE(output.err.find("\\nvm-patch: all is well\\x1B"), std::string::npos) << output.err;
  EXPECT_EQ(*custody_store()->verify(), 1);
}

TEST_F(HookHostileTest, machine_named_like_an_option_is_only_a_name) {
  EXPECT_EQ(call("prepare", xml("--state-dir"), "--state-dir").exit_code, 0);
  Command command;
  command.argv = {VMPATCH_GATE_PROGRAM, "--state-dir", "prepare", "begin", "-"};
  command.input = "x";
  const auto output = run(command);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_code, denied_exit_code);
  EXPECT_NE(output->err.find("start of --state-dir denied: xml-unreadable"), std::string::npos) << output->err;
}

TEST_F(HookHostileTest, renamed_machine_keeps_its_history) {
  write_disk();
  EXPECT_EQ(call("prepare", xml("web99"), "web99").exit_code, denied_exit_code);
}

TEST_F(HookHostileTest, disk_that_is_a_fifo_or_a_symlink_is_unreadable_not_followed) {
  fs::remove(image());
  ASSERT_EQ(::mkfifo(image().c_str(), 0600), 0);
  EXPECT_TRUE(denied(gate("prepare"), "disk-unreadable"));
  fs::remove(image());
  fs::create_symlink("/etc/passwd", image());
  EXPECT_TRUE(denied(gate("prepare"), "disk-unreadable"));
}

TEST_F(HookHostileTest, wrong_call_is_a_usage_error) {
  Command command;
  command.argv = {VMPATCH_GATE_PROGRAM};
  const auto output = run(command);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_code, 2);
}

}  // namespace
}  // namespace vmpatch::gate
