#include "guest/dpkg.hpp"

#include <array>
#include <optional>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::size_t max_packages = 200'000;
constexpr std::size_t max_value = 4096;  ///< of the fields that are kept

enum class Field : std::size_t { package, status, version, architecture, source, count };

std::optional<Field> known_field(std::string_view name) {
  constexpr std::array<std::string_view, 5> names{"package", "status", "version", "architecture", "source"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].size() != name.size()) continue;
    bool same = true;
    for (std::size_t k = 0; k < name.size(); ++k) {
      const char c = name[k];
      same = same && (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == names[i][k];
    }
    if (same) return static_cast<Field>(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::string_view word : split(text, ' ')) {
    if (!trim(word).empty()) found.push_back(trim(word));
  }
  return found;
}

/// One stanza while it is read.
class Stanza {
 public:
  [[nodiscard]] bool empty() const { return first_line_ == 0; }
  [[nodiscard]] std::size_t first_line() const { return first_line_; }

  Result<void> add(std::string_view line, std::size_t number) {
    if (first_line_ == 0) first_line_ = number;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!seen_field_) return fail(Errc::failed, "line {}: a continuation line without a field", number);
      return {};  // none of the kept fields has more than one line
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return fail(Errc::failed, "line {}: expected \"Field: value\", found {}", number, escape_untrusted(line.substr(0, 60)));
    }
    seen_field_ = true;
    const auto field = known_field(line.substr(0, colon));
    if (!field) return {};
    const std::string_view value = trim(line.substr(colon + 1));
    auto& slot = fields_[static_cast<std::size_t>(*field)];
    if (slot) return fail(Errc::failed, "line {}: field {} twice", number, escape_untrusted(line.substr(0, colon)));
    if (value.size() > max_value) return fail(Errc::failed, "line {}: value longer than {} bytes", number, max_value);
    slot = std::string(value);
    return {};
  }

  [[nodiscard]] Result<Package> finish(std::string_view default_status) const {
    const auto get = [this](Field f) { return fields_[static_cast<std::size_t>(f)].value_or(""); };
    Package package;
    package.name = get(Field::package);
    package.version = get(Field::version);
    package.arch = get(Field::architecture);
    package.status = get(Field::status);
    if (package.status.empty()) package.status = default_status;
    if (package.name.empty() || package.name.find_first_of(" \t/") != std::string::npos) {
      return fail(Errc::failed, "line {}: a stanza without a valid package name", first_line_);
    }
    if (words(package.status).size() != 3) {
      return fail(Errc::failed, "line {}: package {} has no status of three words", first_line_,
                  escape_untrusted(package.name));
    }
    if (package.installed() && package.version.empty()) {
      return fail(Errc::failed, "line {}: installed package {} has no version", first_line_, escape_untrusted(package.name));
    }
    package.source = package.name;
    package.source_version = package.version;
    const std::string source = get(Field::source);
    if (!source.empty()) {
      const auto space = source.find(' ');
      package.source = source.substr(0, space);
      const auto open = source.find('(');
      const auto close = source.rfind(')');
      if (open != std::string::npos && close != std::string::npos && open < close) {
        package.source_version = std::string(trim(std::string_view(source).substr(open + 1, close - open - 1)));
      }
    }
    return package;
  }

 private:
  std::size_t first_line_ = 0;
  bool seen_field_ = false;
  std::array<std::optional<std::string>, static_cast<std::size_t>(Field::count)> fields_;
};

std::string_view status_word(const Package& package, std::size_t index) {
  const auto found = words(package.status);
  return found.size() == 3 ? found[index] : std::string_view{};
}

}  // namespace

bool Package::installed() const { return status_word(*this, 2) == "installed"; }
bool Package::held() const { return status_word(*this, 0) == "hold"; }

Result<std::vector<Package>> parse_dpkg_stanzas(std::string_view text, std::string_view default_status) {
  std::vector<Package> packages;
  Stanza stanza;
  const auto close = [&]() -> Result<void> {
    if (stanza.empty()) return {};
    if (packages.size() == max_packages) {
      return fail(Errc::failed, "line {}: more than {} packages", stanza.first_line(), max_packages);
    }
    VMPATCH_TRY(Package package, stanza.finish(default_status));
    packages.push_back(std::move(package));
    stanza = Stanza();
    return {};
  };
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) {
      VMPATCH_CHECK(close());
    } else {
      VMPATCH_CHECK(stanza.add(line, number));
    }
  }
  VMPATCH_CHECK(close());
  return packages;
}

Result<std::vector<Package>> parse_dpkg_status(std::string_view text) { return parse_dpkg_stanzas(text, ""); }

std::vector<std::string> half_configured_packages(const std::vector<Package>& packages) {
  std::vector<std::string> found;
  for (const Package& package : packages) {
    const std::string_view state = status_word(package, 2);
    const bool settled = state == "installed" || state == "not-installed" || state == "config-files";
    if (settled && status_word(package, 1) == "ok") continue;
    found.push_back(package.name + ": " + package.status);
  }
  return found;
}

}  // namespace vmpatch::guest
