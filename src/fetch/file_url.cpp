#include "fetch/file_url.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

constexpr std::string_view scheme = "file:";
constexpr std::string_view local_host = "//localhost/";

Result<std::string> decode(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1 || (*byte)[0] == '\0') return fail(Errc::usage, "'{}': after % two hex digits have to follow, not 00", shown_url(text));
    path += *byte;
    i += 2;
  }
  return path;
}

}  // namespace

bool is_file_url(std::string_view url) { return url.starts_with(scheme); }

Result<std::filesystem::path> parse_file_url(std::string_view url) {
  std::string_view rest = url.substr(is_file_url(url) ? scheme.size() : url.size());
  if (rest.starts_with("///")) rest.remove_prefix(2);
  if (rest.starts_with(local_host)) rest.remove_prefix(local_host.size() - 1);
  if (!rest.starts_with('/') || rest.starts_with("//")) {
    return fail(Errc::usage, "'{}' names no file of this machine; write it as file:///PATH", shown_url(url));
  }
  if (rest.find_first_of("?#") != std::string_view::npos) return fail(Errc::usage, "'{}': write ? and # in a file's name as %3F and %23", shown_url(url));
  VMPATCH_TRY(std::string path, decode(rest));
  return std::filesystem::path(std::move(path));
}

Result<LocalFile> open_local(const std::filesystem::path& path) {
  const std::string shown = escape_untrusted(path.native());
  LocalFile file{UniqueFd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)), {}};
  if (!file.fd && errno == ELOOP) return fail(Errc::refused, "{} is a symbolic link; name the file that it leads to", shown);
  struct stat info {};
  if (!file.fd || ::fstat(file.fd.get(), &info) != 0) return errno_error(errno, "open " + shown);
  if (!S_ISREG(info.st_mode)) return fail(Errc::refused, "{} is no regular file", shown);
  file.etag = fmt::format("\"{:x}-{:x}-{:x}-{:x}-{:x}-{:x}-{:x}\"", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                          info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
  return file;
}

Result<void> give_content(const LocalFile& file, std::uint64_t offset, const ContentSink& sink) {
  std::vector<char> buffer(std::size_t{256} << 10U);
  for (;;) {
    const ssize_t got = ::pread(file.fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read the file");
    if (got == 0) return {};
    VMPATCH_CHECK(sink(offset, {buffer.data(), static_cast<std::size_t>(got)}));
    offset += static_cast<std::uint64_t>(got);
  }
}

}  // namespace vmpatch::fetch
