#include "guest/guestfs/handle.hpp"

#include <cerrno>

#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {

std::vector<std::string> to_vector(const Strings& strings) {
  std::vector<std::string> all;
  for (char** s = strings.get(); s != nullptr && *s != nullptr; ++s) all.emplace_back(*s);
  return all;
}

std::vector<std::pair<std::string, std::string>> to_pairs(const Strings& strings) {
  const auto all = to_vector(strings);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) pairs.emplace_back(all[i], all[i + 1]);
  return pairs;
}

Error last_error(guestfs_h* g, std::string_view what, std::string_view path) {
  constexpr std::size_t longest = 1000;
  const char* message = guestfs_last_error(g);
  const int err = guestfs_last_errno(g);
  const std::string_view text = message != nullptr ? std::string_view(message) : "unknown error of libguestfs";
  return fail(err == ENOENT || err == ENOTDIR ? Errc::not_found : Errc::failed, "cannot {}{}{}: {}", what,
              path.empty() ? "" : " ", escape_untrusted(path), escape_untrusted(text.substr(0, longest)));
}

}  // namespace vmpatch::guest::guestfs
