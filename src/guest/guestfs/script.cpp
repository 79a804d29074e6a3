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

/// Ends what the program left behind: everything whose root is the guest's, but this shell. The appliance's daemon has
/// another root. A shell without -ef ends nothing, and unmounting reports what is still in use.
constexpr std::string_view tail = R"(code=$?
for p in /proc/[0-9]*; do
  if [ "$p/root" -ef / ] && [ "${p#/proc/}" != "$$" ]; then kill -9 "${p#/proc/}"; fi
done 2>/dev/null
echo "$code"
)";

}  // namespace

std::string quote(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') quoted += "'\\''";
    else quoted += c;
  }
  return quoted + "'";
}

Result<std::string> make_script(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                Seconds timeout, const std::string& output) {
  if (argv.empty() || argv[0].empty()) return fail(Errc::failed, "cannot run a program without a name in the guest");
  std::string script(head);
  for (const auto& [name, value] : env) {
    if (!is_variable(name) || has_nul(value)) return fail(Errc::failed, "{} is no environment variable", escape_untrusted(name));
    script += fmt::format("export {}={}\n", name, quote(value));
  }
  // Not every guest has timeout(1), nor every timeout(1) -k. Without it the limit of the whole call holds.
  script += fmt::format("if timeout -k 5 9 /bin/sh -c : 2>/dev/null; then set -- timeout -k 5 {}; else set --; fi\n", timeout.count());
  script += "( \"$@\"";
  for (const std::string& word : argv) {
    if (has_nul(word)) return fail(Errc::failed, "an argument of {} holds a NUL byte", escape_untrusted(argv[0]));
    script += " " + quote(word);
  }
  script += fmt::format(" ) </dev/null >{} 2>&1\n", quote(output));
  script += tail;
  return script;
}

std::optional<int> parse_exit_code(std::string_view text) {
  text = trim(text);
  int code = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc{} || end != text.data() + text.size() || code < 0 || code > 255) return std::nullopt;
  return code;
}

}  // namespace vmpatch::guest::guestfs
