#include "guest/guestfs/script.hpp"

#include <charconv>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

bool is_variable(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  return !name.empty() && letters.find(name.front()) != std::string_view::npos &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == std::string_view::npos;
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

/// The appliance's own variables, so that the guest's programs do not see them.
constexpr std::string_view head = R"(cd / || exit 126
umask 022
unset LC_ALL LVM_SYSTEM_DIR RUNLEVEL PREVLEVEL SHLVL udevtimeout selinux edd OLDPWD guestfs_identifier _
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb SHELL=/bin/sh
)";

/// The inner shell is process 1 and ends all others with it, so it must not be replaced by the program: as process 1 that would take no
/// signals.
constexpr std::string_view tail = "\nexit $?\n";

/// Before the guest's shell: what there is of the kernel, seen from the new namespaces. A link in the place of a folder would lead out of
/// the guest. A process that takes all memory shall be the one that the kernel ends.
constexpr std::string_view enter = R"(exec 2>&1
echo 1000 >/proc/self/oom_score_adj
for f in dev proc sys; do if [ -L /sysroot/$f ] || [ ! -d /sysroot/$f ]; then echo "the guest's /$f is no folder"; exit 125; fi; done
mount -t proc proc /sysroot/proc && mount --rbind /sys /sysroot/sys && mount --rbind /dev /sysroot/dev || exit 125
exec chroot /sysroot /bin/sh )";

}  // namespace

std::string quote(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') quoted += "'\\''";
    else quoted += c;
  }
  return quoted + "'";
}

Result<std::string> make_inner_script(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env) {
  if (argv.empty() || argv[0].empty()) return fail(Errc::failed, "cannot run a program without a name in the guest");
  std::string script(head);
  for (const auto& [name, value] : env) {
    if (!is_variable(name) || has_nul(value)) return fail(Errc::failed, "{} is no environment variable", escape_untrusted(name));
    script += fmt::format("export {}={}\n", name, quote(value));
  }
  for (const std::string& word : argv) {
    if (has_nul(word)) return fail(Errc::failed, "an argument of {} holds a NUL byte", escape_untrusted(argv[0]));
    script += quote(word) + " ";
  }
  return script + std::string(tail);
}

std::string make_outer_script(const std::string& inner, Seconds timeout, const std::string& output, std::uint64_t max_output) {
  // nice: a guest that takes every processor must not keep the one who ends it from its work. The daemon is our parent; neither it nor this
  // shell is what the kernel ends where a guest takes all memory.
  const std::string command = fmt::format(
      "nice -n 10 timeout -v -k 5 {} unshare --fork --kill-child --pid --mount --ipc --uts /bin/sh -c {}", timeout.count(),
      quote(std::string(enter) + quote(inner)));
  return fmt::format(R"sh(for pid in $PPID $$; do echo -1000 >/proc/$pid/oom_score_adj; done
echo 4096 >/proc/sys/kernel/pid_max
{{ {} 2>{}.limit; echo $? >{}.code; }} </dev/null | tail -c {} >{}
echo "$(cat {}.code) $(stat -c %s {}) $(grep -c 'sending signal' {}.limit)")sh",
                     command, output, output, max_output, output, output, output, output);
}

std::optional<Ending> parse_ending(std::string_view text) {
  const auto words = split(trim(text), ' ');
  Ending ending;
  const auto take = [](std::string_view word, auto& number) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    return error == std::errc{} && end == word.data() + word.size();
  };
  unsigned signals = 0;
  if (words.size() != 3 || !take(words[0], ending.exit_code) || !take(words[1], ending.output) || !take(words[2], signals)) return std::nullopt;
  ending.late = signals > 0;
  if (ending.exit_code < 0 || ending.exit_code > 255) return std::nullopt;
  return ending;
}

}  // namespace vmpatch::guest::guestfs
