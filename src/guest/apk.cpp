#include "guest/apk.hpp"

#include <optional>

#include "guest/package_list.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

struct Stanza {
  std::size_t first_line = 0;
  std::optional<std::string_view> name, version, arch, origin, flags;

  std::optional<std::string_view>* field(char letter) {
    switch (letter) {
      case 'P': return &name;
      case 'V': return &version;
      case 'A': return &arch;
      case 'o': return &origin;
      case 'f': return &flags;
      default: return nullptr;
    }
  }
};

/// 'S' says how digests are stored and is no fault.
std::string faults(std::string_view flags) {
  std::string found;
  for (const auto& [letter, word] : {std::pair('f', "files"), std::pair('s', "script"), std::pair('x', "extended attributes")}) {
    if (flags.find(letter) != std::string_view::npos) found += (found.empty() ? "broken " : ", ") + std::string(word);
  }
  return found;
}

Result<Package> make_package(const Stanza& stanza) {
  Package package;
  package.name = stanza.name.value_or("");
  package.version = stanza.version.value_or("");
  if (package.name.empty() || package.name.find_first_of(" \t/") != std::string::npos) {
    return fail(Errc::failed, "line {}: a stanza without a valid package name", stanza.first_line);
  }
  if (package.version.empty()) {
    return fail(Errc::failed, "line {}: package {} has no version", stanza.first_line, escape_untrusted(package.name));
  }
  package.arch = stanza.arch.value_or("");
  package.source = stanza.origin.value_or("").empty() ? package.name : std::string(*stanza.origin);
  package.source_version = package.version;
  package.status = installed_status;
  return package;
}

class Reader {
 public:
  Result<void> add(std::string_view line, std::size_t number) {
    if (stanza_.first_line == 0) stanza_.first_line = number;
    if (line.size() < 2 || line[1] != ':') {
      return fail(Errc::failed, "line {}: expected \"X:value\", found {}", number, escape_untrusted(line.substr(0, 60)));
    }
    auto* slot = stanza_.field(line[0]);
    if (slot == nullptr) return {};
    const std::string_view value = line.substr(2);
    if (*slot) return fail(Errc::failed, "line {}: field {} twice", number, line[0]);
    if (value.size() > max_package_field) {
      return fail(Errc::failed, "line {}: field {} longer than {} bytes", number, line[0], max_package_field);
    }
    *slot = value;
    return {};
  }

  Result<void> close() {
    if (stanza_.first_line == 0) return {};
    VMPATCH_TRY(Package package, make_package(stanza_));
    if (const std::string fault = faults(stanza_.flags.value_or("")); !fault.empty()) {
      broken_.push_back(package.name + ": " + fault);
    }
    const auto added = packages_.add(std::move(package));
    if (!added) return added.error().in(fmt::format("line {}", stanza_.first_line));
    stanza_ = Stanza();
    return {};
  }

  ApkDatabase finish() { return {packages_.take(), std::move(broken_)}; }

 private:
  Stanza stanza_;
  PackageList packages_;
  std::vector<std::string> broken_;
};

}  // namespace

Result<ApkDatabase> parse_apk_installed(std::string_view text) {
  Reader reader;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    VMPATCH_CHECK(line.empty() ? reader.close() : reader.add(line, number));
  }
  VMPATCH_CHECK(reader.close());
  return reader.finish();
}

}  // namespace vmpatch::guest
