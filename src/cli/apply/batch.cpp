#include "cli/apply/batch.hpp"

#include <atomic>
#include <thread>

namespace vmpatch::cli {
namespace {

std::string last_word(const Result<engine::Report>& result) {
  if (!result) return fmt::format("{}: {}", to_string(result.error().code), result.error().message);
  switch (result->plan.outcome) {
    case plan::Outcome::apply: return "patched, verified, committed, attested";
    case plan::Outcome::satisfied: return "nothing to do, attested";
    case plan::Outcome::not_applicable: return "recipe does not apply";
    case plan::Outcome::refused: return "refused";
  }
  return {};
}

}  // namespace

std::vector<BatchResult> apply_all(engine::Environment& environment, const engine::Job& job,
                                   const std::vector<inventory::Machine>& machines, unsigned jobs, ProgressDisplay& display) {
  std::vector<BatchResult> results;
  for (const auto& machine : machines) results.push_back({machine, make_error(Errc::failed, "was not run")});
  std::atomic<std::size_t> next{0};
  // Children die with the thread that started them, so each machine's whole run stays in one thread.
  auto work = [&] {
    for (auto i = next.fetch_add(1); i < results.size(); i = next.fetch_add(1)) {
      results[i].result = engine::apply(environment, job, results[i].machine);
      display.finish(results[i].machine, last_word(results[i].result));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::min<std::size_t>(std::max(1U, jobs), results.size()); ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  return results;
}

int exit_code_of(const std::vector<BatchResult>& results) {
  for (const auto code : {Errc::recovery_needed, Errc::untrusted, Errc::busy, Errc::refused}) {
    for (const auto& entry : results) {
      if (!entry.result && entry.result.error().code == code) return exit_code(code);
    }
  }
  for (const auto& entry : results) {
    if (!entry.result) return exit_code(entry.result.error().code);
  }
  return 0;
}

}  // namespace vmpatch::cli
