#include "guest/control_stanzas.hpp"

#include <algorithm>

#include "guest/package_list.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::string_view> fields) : fields_(fields) { clear(); }

  [[nodiscard]] bool empty() const { return stanza_.first_line == 0; }
  [[nodiscard]] const ControlStanza& stanza() const { return stanza_; }
  void clear() {
    stanza_.first_line = 0;
    stanza_.values.assign(fields_.size(), std::nullopt);
    seen_field_ = false;
  }

  Result<void> add(std::string_view line, std::size_t number) {
    if (empty()) stanza_.first_line = number;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!seen_field_) return fail(Errc::failed, "line {}: a continuation line without a field", number);
      return {};
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return fail(Errc::failed, "line {}: expected \"Field: value\", found {}", number, escape_untrusted(line.substr(0, 60)));
    }
    seen_field_ = true;
    const std::string_view name = line.substr(0, colon);
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [&](std::string_view field) { return equal_ignoring_case(name, field); });
    if (found == fields_.end()) return {};
    const std::string_view value = trim(line.substr(colon + 1));
    auto& slot = stanza_.values[static_cast<std::size_t>(found - fields_.begin())];
    if (slot) return fail(Errc::failed, "line {}: field {} twice", number, escape_untrusted(name));
    if (value.size() > max_package_field) {
      return fail(Errc::failed, "line {}: field {} longer than {} bytes", number, escape_untrusted(name), max_package_field);
    }
    slot = value;
    return {};
  }

 private:
  std::span<const std::string_view> fields_;
  ControlStanza stanza_;
  bool seen_field_ = false;
};

}  // namespace

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

Result<void> for_each_stanza(std::string_view text, std::span<const std::string_view> fields,
                             const std::function<Result<void>(const ControlStanza&)>& each) {
  Reader reader(fields);
  const auto close = [&]() -> Result<void> {
    if (reader.empty()) return {};
    VMPATCH_CHECK(each(reader.stanza()));
    reader.clear();
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
      VMPATCH_CHECK(reader.add(line, number));
    }
  }
  return close();
}

}  // namespace vmpatch::guest
