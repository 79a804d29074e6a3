#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest {
namespace {

constexpr const char* qemu = "/usr/bin/qemu-system-x86_64";
constexpr std::chrono::seconds patience{5};

/// What the answer depends on.
Result<Json> make_key() {
  struct stat info {};
  if (::stat(qemu, &info) != 0) return errno_error(errno, fmt::format("{}; install QEMU", qemu));
  VMPATCH_TRY(std::string boot, boot_id());
  Json key;
  key["qemu"] = qemu;
  key["size"] = info.st_size;
  key["mtime"] = info.st_mtime;
  key["boot_id"] = std::move(boot);
  key["uid"] = ::geteuid();
  return key;
}

/// The newest kernel that the worker may read: supermin needs one too.
std::optional<fs::path> find_kernel() {
  std::optional<fs::path> newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/boot", error)) {
    const std::string name = entry.path().filename().string();
    struct stat info {};
    if (!name.starts_with("vmlinuz-") || ::stat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const bool readable = ::geteuid() == 0 ? (info.st_mode & S_IROTH) != 0 : ::access(entry.path().c_str(), R_OK) == 0;
    if (readable && (!newest || entry.path() > *newest)) newest = entry.path();
  }
  return newest;
}

AcceleratorAnswer without_kvm(std::string reason) { return {Accelerator::tcg, std::move(reason), false}; }

std::string last_line(std::string_view text) {
  const std::string_view trimmed = trim(text);
  const auto newline = trimmed.rfind('\n');
  return escape_untrusted(newline == std::string_view::npos ? trimmed : trimmed.substr(newline + 1));
}

/// Boots a kernel without a root file system: with panic=-1 it restarts at once, which ends this QEMU. Firmware alone would
/// not do: hosts exist where KVM runs real mode and then hangs in the kernel.
Result<AcceleratorAnswer> try_kvm() {
  struct utsname host {};
  if (::uname(&host) != 0 || std::string_view(host.machine) != "x86_64") return without_kvm("KVM is only tried on x86_64");
  struct stat device {};
  if (::stat("/dev/kvm", &device) != 0) return without_kvm("no /dev/kvm");
  const auto kernel = find_kernel();
  if (!kernel) return without_kvm("no readable kernel in /boot to try KVM with");
  Command command;
  command.argv = {qemu, "-machine", "q35,accel=kvm", "-cpu", "host", "-m", "256", "-display", "none", "-nodefaults",
                  "-no-user-config", "-no-reboot", "-serial", "stdio", "-kernel", kernel->string(), "-append",
                  "console=ttyS0 earlyprintk=serial,ttyS0 panic=-1"};
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  command.run_as = worker_credentials();
  command.cwd = "/";
  // The group of /dev/kvm, as the worker has it.
  if (command.run_as && device.st_gid != 0 && (device.st_mode & 0060U) == 0060U) command.run_as->gid = device.st_gid;
  command.timeout = patience;
  const auto output = run(command);
  if (!output && output.error().code == Errc::timeout) {
    return without_kvm(fmt::format("QEMU hung on KVM for {} s", patience.count()));
  }
  if (!output) return output.error();
  if (output->exit_code != 0) return without_kvm("QEMU aborted on KVM: " + last_line(output->err));
  if (output->out.find("Linux version") == std::string::npos) return without_kvm("QEMU on KVM did not start a kernel");
  return AcceleratorAnswer{Accelerator::kvm, "KVM works", false};
}

std::optional<AcceleratorAnswer> remembered(const fs::path& file, const Json& key) {
  const auto text = read_file(file, 64U << 10U);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text, file.string());
  if (!json || !json->is_object() || !json->contains("key") || (*json)["key"] != key) return std::nullopt;
  const auto name = json->find("accelerator");
  const auto reason = json->find("reason");
  if (name == json->end() || reason == json->end() || !reason->is_string()) return std::nullopt;
  const bool kvm = *name == "kvm";
  if (!kvm && *name != "tcg") return std::nullopt;
  return AcceleratorAnswer{kvm ? Accelerator::kvm : Accelerator::tcg, reason->get<std::string>(), true};
}

}  // namespace

Result<AcceleratorAnswer> find_accelerator(const std::filesystem::path& cache_dir) {
  VMPATCH_TRY(const Json key, make_key());
  VMPATCH_CHECK(make_dirs(cache_dir, 0755));
  const fs::path file = cache_dir / "accelerator.json";
  if (auto answer = remembered(file, key)) return *answer;
  VMPATCH_TRY(AcceleratorAnswer answer, try_kvm());
  Json json;
  json["key"] = key;
  json["accelerator"] = answer.accelerator == Accelerator::kvm ? "kvm" : "tcg";
  json["reason"] = answer.reason;
  VMPATCH_CHECK(write_file_atomic(file, dump_json(json, 2) + "\n"));
  return answer;
}

}  // namespace vmpatch::guest
