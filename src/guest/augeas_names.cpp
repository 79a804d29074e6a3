#include "guest/augeas_names.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {

Result<std::string> lens_name(const std::string& lens) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
  if (lens.empty() || lens.find_first_not_of(allowed) != std::string::npos) {
    return fail(Errc::failed, "{} is no Augeas lens", escape_untrusted(lens));
  }
  if (lens.find('.') != std::string::npos) return lens;
  std::string name = lens + ".lns";
  if (name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

std::string escape_augeas_path(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    if (std::string_view(" \t\n[]{}()!|=<>,*+'\"\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace vmpatch::guest
