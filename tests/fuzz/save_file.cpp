// Files of saved memory from anywhere: the XML that is found lies within them, and ends before its zero.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inventory/left/save_file.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto xml = vmpatch::inventory::find_saved_xml(bytes, "fuzz");
  if (!xml) {
    require(xml.error().code == vmpatch::Errc::failed && xml.error().message.starts_with("fuzz "));
    return 0;
  }
  require(bytes.starts_with("LibvirtQemud"));
  require(xml->data() == bytes.data() + 92 && xml->data() + xml->size() < bytes.data() + bytes.size());
  require(xml->find('\0') == std::string_view::npos && xml->data()[xml->size()] == '\0');
  return 0;
}
