#include "proof/qemu/throw_away.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "proof/qemu/life.hpp"
#include "vmpatch/core/confine.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/log_pump.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {
namespace {

struct SocketPair {
  UniqueFd ours, theirs;
};

Result<SocketPair> make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return errno_error(errno, "make a socket for QEMU");
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// What this host's QEMU calls its machines.
Result<std::vector<std::string>> known_machines() {
  Command command;
  command.argv = {qemu_program, "-machine", "help"};
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
  command.run_as = worker_credentials();
  command.cwd = "/";
  VMPATCH_TRY(const auto output, run_checked(command));
  return machine_names(output.out);
}

Result<std::string> type_of(const Hardware& hardware) {
  // "pc" and "q35" every one has.
  if (hardware.machine.find('-') == std::string::npos) return machine_type(hardware.machine, {});
  VMPATCH_TRY(const auto known, known_machines());
  return machine_type(hardware.machine, known);
}

}  // namespace

ThrowAway::ThrowAway(Child child, UniqueFd monitor, UniqueFd console, UniqueFd agent, UniqueFd messages, int log_fd)
    : child_(std::move(child)), monitor_(std::move(monitor)), console_(std::move(console)), agent_(std::move(agent)), messages_(std::move(messages)),
      log_fd_(log_fd) {}

ThrowAway::~ThrowAway() {
  if (!life_) return;
  child_.kill();
  // Of what is killed with its namespace nobody here is the parent.
  constexpr int patience = 10'000;
  pollfd watched{life_.get(), POLLIN, 0};
  ::poll(&watched, 1, patience);
}

Result<ThrowAway> ThrowAway::start(const BootRequest& request) {
  VMPATCH_TRY(const auto firmware, load_firmware(request.hardware));
  VMPATCH_TRY(const auto type, type_of(request.hardware));
  VMPATCH_TRY(const auto arguments, machine_arguments(request.hardware, request.disks, {type, firmware.kind, request.kvm}));
  VMPATCH_TRY(const auto program, internal_program("vm-patch-proof"));
  const auto account = fresh_credentials();
  const gid_t kvm = request.kvm && account ? kvm_group().value_or(0) : 0;

  Command command;
  command.argv = {program.string(), std::to_string(account ? account->uid : 0), std::to_string(account ? account->gid : 0), std::to_string(kvm), qemu_program};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  // As root it starts as root, enters its namespaces and changes its account before it becomes QEMU: see confine().
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
  command.cwd = "/";
  command.limits = confined_limits(account, 16U << 20U);

  VMPATCH_TRY(auto life, make_pair());
  VMPATCH_TRY(auto monitor, make_pair());
  VMPATCH_TRY(auto console, make_pair());
  VMPATCH_TRY(auto agent, make_pair());
  command.descriptors = {{life.theirs.get(), life_fd}, {monitor.theirs.get(), monitor_fd}, {console.theirs.get(), console_fd}, {agent.theirs.get(), agent_fd}};
  if (firmware.code) command.descriptors.emplace_back(firmware.code.get(), code_fd);
  if (firmware.variables) command.descriptors.emplace_back(firmware.variables.get(), variables_fd);
  std::vector<UniqueFd> connections;
  for (std::size_t i = 0; i < request.disks.size(); ++i) {
    VMPATCH_TRY(auto connection, image::connect(request.disks[i].source));
    command.descriptors.emplace_back(connection.get(), first_disk_fd + static_cast<int>(i));
    connections.push_back(std::move(connection));
  }
  std::array<int, 2> pipe{};
  // Non-blocking on both ends: a QEMU that floods its log loses messages, instead of filling memory or stopping.
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return errno_error(errno, "make the log pipe for QEMU");
  UniqueFd reader(pipe[0]);
  const UniqueFd writer(pipe[1]);
  VMPATCH_TRY(Child child, Child::start(command, writer.get()));
  ThrowAway started(std::move(child), std::move(monitor.ours), std::move(console.ours), std::move(agent.ours), std::move(reader), request.log_fd);
  started.life_ = std::move(life.ours);
  return started;
}

void ThrowAway::take_messages() {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t n = 0; text.size() < (64U << 10U) && (n = ::read(messages_.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  for (const auto raw : split(text, '\n')) {
    if (trim(raw).empty()) continue;
    last_message_ = escape_untrusted(trim(raw).substr(0, 512));
    if (log_fd_ >= 0) append_to_log(log_fd_, "proof: " + last_message_ + "\n", LogShare::others);
  }
}

}  // namespace vmpatch::proof
