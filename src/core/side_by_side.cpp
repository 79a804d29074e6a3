#include "vmpatch/core/side_by_side.hpp"

#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace vmpatch {

void side_by_side(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto run = [&] {
    for (auto i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  try {
    for (std::size_t i = 1; i < jobs && i < count; ++i) threads.emplace_back(run);
  } catch (const std::system_error&) {
    // Those that there are do the work, too.
  }
  run();
  for (std::thread& thread : threads) thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace vmpatch
