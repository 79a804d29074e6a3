#include "vmpatch/core/programs.hpp"

#include <sys/stat.h>

#include <fstream>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/plugin.hpp"

namespace vmpatch::test {
namespace {

TEST(InternalProgram, is_found_in_the_set_folder_and_never_in_path) {
  const Scratch scratch;
  const auto program = scratch.path() / "vm-patch-example";
  std::ofstream(program) << "#!/bin/sh\n";
  EXPECT_EQ(internal_program("vm-patch-example").error().code, Errc::not_found);
  set_internal_program_dir(scratch.path());
  EXPECT_EQ(internal_program("vm-patch-example").error().code, Errc::not_found) << "it is not executable";
  ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
  EXPECT_EQ(internal_program("vm-patch-example").value(), program);
  EXPECT_EQ(internal_program("true").error().code, Errc::not_found);
  set_internal_program_dir({});
}

TEST(Plugin, file_that_is_no_library_is_an_error_that_names_it) {
  const Scratch scratch;
  const auto file = scratch.path() / "broken.so";
  std::ofstream(file) << "no library";
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0) << "as libraries are installed";
  set_internal_program_dir(scratch.path());
  const auto entry = load_plugin("broken.so", "entry");
  set_internal_program_dir({});
  ASSERT_FALSE(entry.has_value());
  EXPECT_NE(entry.error().message.find("broken.so"), std::string::npos) << entry.error().message;
}

}  // namespace
}  // namespace vmpatch::test
