#include <string_view>

#include "app/application.hpp"
#include "vmpatch/guest/opener.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == vmpatch::guest::guest_worker_argument) {
    return vmpatch::guest::guest_worker_main(argc, argv);
  }
  return vmpatch::app::run_application(argc, argv);
}
