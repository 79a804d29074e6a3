#include "gate/hook/limit.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

constexpr std::chrono::milliseconds patience{2000};

Reply late(int code, const std::string& line, std::string_view why) {
  if (code == 0) return {};
  return {code, fmt::format("{}{}; see `vm-patch gate status`\n", line, why)};
}

void run(const Errand::Send& send, const std::function<Reply(const SetLateCode&)>& work) {
  const Reply reply = work([&](int code) { send(dump_json({{"late", code}})); });
  send(dump_json({{"code", reply.code}, {"line", reply.line}}));
}

}  // namespace

Reply out_of_time(int code, const std::string& line) { return late(code, line, "timeout: no decision within 2 s"); }

SteadyTime limit_from_now() { return std::chrono::steady_clock::now() + patience; }

Reply within_limit(SteadyTime limit, int late_code, const std::string& late_line, const std::function<Reply(const SetLateCode&)>& work) {
  auto errand = Errand::start([&](const Errand::Send& send) { run(send, work); });
  if (!errand) return late(late_code, late_line, "internal: " + errand.error().message);
  for (;;) {
    const auto message = errand->next(limit);
    if (!message && message.error().code == Errc::timeout) return out_of_time(late_code, late_line);
    if (!message) return late(late_code, late_line, "internal: " + message.error().message);
    if (!*message) return late(late_code, late_line, "internal: the deciding process crashed");
    const auto said = parse_json(**message, "reply");
    if (!said) return late(late_code, late_line, "internal: " + said.error().message);
    if (said->contains("code")) return {said->at("code").get<int>(), said->at("line").get<std::string>()};
    late_code = said->at("late").get<int>();
  }
}

}  // namespace vmpatch::gate
