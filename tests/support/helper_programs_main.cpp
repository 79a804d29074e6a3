// A test program that uses the built helper programs.
#include <gtest/gtest.h>

#include "vmpatch/core/programs.hpp"

int main(int argc, char** argv) {
  vmpatch::set_internal_program_dir(VMPATCH_BINARY_DIR "/bin");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
