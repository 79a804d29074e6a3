// A test program that is its own guest worker.
#include <gtest/gtest.h>

#include "vmpatch/guest/opener.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && argv[1] == vmpatch::guest::guest_worker_argument) return vmpatch::guest::guest_worker_main(argc, argv);
  vmpatch::guest::set_guest_worker_program("/proc/self/exe");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
