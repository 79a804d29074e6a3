#include "guest/pacman.hpp"

#include <array>
#include <optional>

#include "guest/package_list.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

enum Field : std::size_t { name, version, base, arch, reason, count };
constexpr std::array<std::string_view, count> fields{"%NAME%", "%VERSION%", "%BASE%", "%ARCH%", "%REASON%"};

using Values = std::array<std::optional<std::string_view>, count>;

Result<Values> read_values(std::string_view text) {
  Values values;
  std::optional<std::string_view>* open = nullptr;  // the field whose value comes next
  bool in_field = false;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty()) {
      in_field = false;
      open = nullptr;
    } else if (!in_field) {
      if (line.size() < 3 || line.front() != '%' || line.back() != '%') {
        return fail(Errc::failed, "line {}: expected \"%FIELD%\", found {}", number, escape_untrusted(line.substr(0, 60)));
      }
      in_field = true;
      for (std::size_t i = 0; i < count; ++i) {
        if (fields[i] != line) continue;
        if (values[i]) return fail(Errc::failed, "line {}: field {} twice", number, line);
        open = &values[i];
      }
    } else if (open != nullptr) {
      if (line.size() > max_package_field) return fail(Errc::failed, "line {}: value longer than {} bytes", number, max_package_field);
      if (*open) return fail(Errc::failed, "line {}: a second value of one field", number);
      *open = line;
    }
  }
  return values;
}

}  // namespace

Result<Package> parse_pacman_desc(std::string_view text) {
  VMPATCH_TRY(const Values values, read_values(text));
  Package package;
  package.name = values[name].value_or("");
  package.version = values[version].value_or("");
  if (package.name.empty() || package.name.find_first_of(" \t/") != std::string::npos) {
    return fail(Errc::failed, "no valid package name");
  }
  if (package.version.empty()) return fail(Errc::failed, "package {} has no version", escape_untrusted(package.name));
  package.arch = values[arch].value_or("");
  package.source = values[base].value_or(package.name);
  package.source_version = package.version;
  package.status = installed_status;
  package.automatic = values[reason].value_or("0") == "1";
  return package;
}

}  // namespace vmpatch::guest
