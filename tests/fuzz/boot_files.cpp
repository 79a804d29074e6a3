// Boot loader configurations, boot version order, login records, and facts from JSON: no crash, no answer that was not in the
// input, an order that is one, and bytes that come back exactly.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guest/evidence.hpp"
#include "guest/grub.hpp"
#include "guest/json_bytes.hpp"
#include "guest/loader_entries.hpp"
#include "guest/version_order.hpp"
#include "vmpatch/core/json.hpp"

namespace {

using namespace vmpatch;
using namespace vmpatch::guest;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  GrubConfig config = parse_grub_config(text);
  require(config.entries.size() <= 10'000);
  const std::string choice = grub_choice(config, parse_grub_environment(text));
  for (int round = 0; round < 2; ++round) {
    const GrubEntry* entry = find_grub_entry(config, choice);
    require(entry == nullptr || (entry->submenu.empty() && !entry->is_blscfg));
    GrubEntry one;
    one.id = choice;
    one.kernel = "/vmlinuz";
    add_loader_entries(config, {one, one});
  }

  const auto half = size / 2;
  std::vector<LoaderEntry> entries{parse_loader_entry(text.substr(0, half), text.substr(half)), parse_loader_entry("a.conf", text),
                                   parse_loader_entry(text.substr(half), text.substr(0, half))};
  sort_for_grub(entries);
  sort_for_systemd_boot(entries);
  loader_default(text);
  require(text.find(extlinux_kernel(text)) != std::string_view::npos);

  const std::string_view a = text.substr(0, half);
  const std::string_view b = text.substr(half);
  require(compare_boot_versions(a, a) == 0);
  require(compare_boot_versions(a, b) == -compare_boot_versions(b, a));

  for (const char* arch : {"x86_64", "aarch64", "s390x"}) {
    const auto time = newest_login_record(text, arch);
    require(!time || (*time > 0 && *time <= latest_time));
  }

  const std::string encoded = bytes_to_text(text);
  require(text_to_bytes(encoded) == text);
  require(dump_json(Json(encoded)).find("\xEF\xBF\xBD") == std::string::npos || text.find("\xEF\xBF\xBD") != std::string_view::npos);
  if (const auto json = parse_json(text, "facts")) {
    const auto facts = facts_from_json(*json);
    if (facts) require(*facts_from_json(to_json(*facts)) == *facts);
  }
  return 0;
}
