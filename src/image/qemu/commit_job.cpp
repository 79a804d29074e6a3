#include "image/qemu/commit_job.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

constexpr std::string_view job_id = "commit";
constexpr std::chrono::milliseconds poll_interval{50};
constexpr std::chrono::minutes stall_limit{10};

struct JobState {
  std::string status;
  std::string error;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

std::string text_member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

Result<JobState> query(Worker& worker) {
  VMPATCH_TRY(const Json jobs, worker.execute("query-jobs"));
  for (const auto& job : jobs) {
    if (!job.is_object() || text_member(job, "id") != job_id) continue;
    return JobState{text_member(job, "status"), text_member(job, "error"), number_member(job, "current-progress"),
                    number_member(job, "total-progress")};
  }
  return fail(Errc::failed, "QEMU lost the commit job");
}

Result<void> finish(Worker& worker, const JobState& state) {
  VMPATCH_CHECK(worker.execute("job-dismiss", Json{{"id", job_id}}));
  if (!state.error.empty()) return fail(Errc::failed, "QEMU could not commit: {}", escape_untrusted(state.error));
  return {};
}

}  // namespace

Result<void> run_commit_job(Worker& worker, const std::string& overlay, const std::string& base,
                            const Progress& progress) {
  // Without base-node QEMU would take the lowest layer of the chain.
  VMPATCH_CHECK(worker.execute("block-commit", Json{{"job-id", job_id},
                                                    {"device", overlay},
                                                    {"top-node", overlay},
                                                    {"base-node", base},
                                                    {"auto-dismiss", false}}));
  auto moved = std::chrono::steady_clock::now();
  JobState last;
  bool completing = false;
  for (;;) {
    VMPATCH_TRY(const JobState state, query(worker));
    if (progress) progress(state.done, state.total);
    if (state.status == "concluded") return finish(worker, state);
    if (state.status == "ready" && !std::exchange(completing, true)) {
      VMPATCH_CHECK(worker.execute("job-complete", Json{{"id", job_id}}));
    }
    const auto now = std::chrono::steady_clock::now();
    if (state.status != last.status || state.done != last.done) moved = now;
    if (now - moved > stall_limit) return fail(Errc::timeout, "the commit stands still at {} bytes", state.done);
    last = state;
    VMPATCH_CHECK(worker.wait_for_event(poll_interval));
  }
}

}  // namespace vmpatch::image
