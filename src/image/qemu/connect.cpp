#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "image/open_file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {

Result<UniqueFd> connect(const NbdExport& source) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = source.socket.native();
  if (path.size() >= sizeof address.sun_path) return fail(Errc::failed, "socket path {} is too long", shown(source.socket));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const void* generic = &address;
  if (!fd || ::connect(fd.get(), static_cast<const sockaddr*>(generic), sizeof address) != 0) {
    return errno_error(errno, "connect to export " + shown(source.socket));
  }
  return fd;
}

}  // namespace vmpatch::image
