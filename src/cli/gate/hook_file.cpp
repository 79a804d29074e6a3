#include "cli/gate/hook_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::string_view first_lines =
    "#!/bin/sh\n# Written by 'vm-patch gate install'. Remove it with 'vm-patch gate uninstall'.\n";

/// Before and after the program. libvirt takes standard output for the domain's XML in some operations.
struct Frame {
  std::string head;
  std::string tail;
};

Frame script_frame(const fs::path& state) {
  const std::string head = std::string(first_lines) + fmt::format(R"(# libvirt ends a running machine when its hook fails at reconnect or started. So what may fail is decided here, whatever becomes of
# the program: prepare, start, restore and migrate where it does not say that it allows them ({0}; a shell takes an empty program for
# a script that succeeds), started where it says that it denies ({1}), everything else never. The trap is for a shell that ends by
# itself, as where the host has no room for one more process.
end=0
case "$2" in prepare | start | restore | migrate) end={1} ;; esac
trap 'exit $end' EXIT
)", gate::allowed_exit_code, gate::denied_exit_code);
  const std::string tail = fmt::format(R"( --state-dir {2} --allowed-code {0} -- "$@" >/dev/null
code=$?
case "$2" in
  prepare | start | restore | migrate)
    if [ $code -eq {0} ]; then
      end=0
    elif [ $code -ne {1} ]; then
      echo "vm-patch: denied: the gate's program gave no answer (exit code $code); see 'vm-patch gate status'" >&2
    fi ;;
  started) [ $code -ne {1} ] || end={1} ;;
esac
)", gate::allowed_exit_code, gate::denied_exit_code, shell_quoted(state.string()));
  return {head, tail};
}

/// The file and every folder above it.
Result<void> check_only_root_writes(const fs::path& program) {
  for (fs::path path = program;; path = path.parent_path()) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errno_error(errno, "cannot look at " + path.string());
    const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
    if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
      return fail(Errc::refused, "{} belongs to another user; libvirt would run it as root", path.string());
    }
    if ((info.st_mode & 0022U) != 0 && !sticky) {
      return fail(Errc::refused, "{} is writable by others, and libvirt would run it as root; run chmod go-w on it", path.string());
    }
    if (path == path.root_path()) return {};
  }
}

}  // namespace

fs::path hook_path(const fs::path& hooks_dir) { return fs::absolute(hooks_dir) / "qemu.d" / "50-vm-patch"; }

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string hook_script(const fs::path& program, const fs::path& state) {
  const auto [head, tail] = script_frame(state);
  return head + shell_quoted(program.string()) + tail;
}

std::optional<fs::path> called_program(const std::string& script, const fs::path& state) {
  const auto [head, tail] = script_frame(state);
  if (script.size() < head.size() + tail.size() || !script.starts_with(head) || !script.ends_with(tail)) return {};
  const std::string word = script.substr(head.size(), script.size() - head.size() - tail.size());
  std::string program;
  for (std::size_t at = 1; at + 1 < word.size(); ++at) {
    program += word[at];
    if (word[at] == '\'') at += 3;  // '\'' stands for one
  }
  if (word != shell_quoted(program)) return {};
  return fs::path(program);
}

Result<fs::path> find_gate_program(const fs::path& wanted) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> candidates{self / "vm-patch-gate", self / "../libexec/vm-patch/vm-patch-gate", VMPATCH_GATE_INSTALLED};
  if (!wanted.empty()) candidates = {wanted};
  for (const fs::path& candidate : candidates) {
    const fs::path path = fs::canonical(candidate, error);
    if (error || ::access(path.c_str(), X_OK) != 0) continue;
    VMPATCH_CHECK(check_only_root_writes(path));
    return path;
  }
  return fail(Errc::not_found, "there is no executable {}; name it with --program", candidates.front().string());
}

HookState look_at_hook(const fs::path& hooks_dir) {
  HookState state;
  const auto content = read_file(hook_path(hooks_dir), 65536);
  if (!content) return state;
  state.installed = true;
  state.content = *content;
  state.ours = content->rfind(first_lines, 0) == 0;
  state.executable = ::access(hook_path(hooks_dir).c_str(), X_OK) == 0;
  return state;
}

}  // namespace vmpatch::cli
