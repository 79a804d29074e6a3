#include "vmpatch/core/host.hpp"

#include <sys/utsname.h>

#include <charconv>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {

Result<std::string> boot_id() {
  VMPATCH_TRY(const std::string text, read_file("/proc/sys/kernel/random/boot_id", 4096));
  return std::string(trim(text));
}

Result<std::uint64_t> process_start_time(pid_t pid) {
  if (pid <= 0) return fail(Errc::not_found, "there is no process {}", pid);
  const std::string path = fmt::format("/proc/{}/stat", pid);
  const auto text = read_file(path, 65536);
  // A process that ends between open and read gives ESRCH; both mean that it is gone.
  if (!text) return fail(Errc::not_found, "there is no process {} ({})", pid, text.error().message);
  // The second field is the program's name in parentheses; it may hold spaces and parentheses itself.
  const auto name_end = text->rfind(')');
  if (name_end != std::string::npos && name_end + 2 < text->size()) {
    const auto fields = split(std::string_view(*text).substr(name_end + 2), ' ');
    constexpr std::size_t start_time = 22 - 3;
    if (fields.size() > start_time) {
      const std::string_view field = fields[start_time];
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
      if (error == std::errc() && end == field.data() + field.size()) return value;
    }
  }
  return fail(Errc::failed, "{} has no start time", path);
}

std::string host_name() {
  utsname name{};
  if (::uname(&name) != 0) return "localhost";
  return static_cast<const char*>(name.nodename);
}

}  // namespace vmpatch
