#include "inventory/left/save_file.hpp"

#include <cstring>

#include "vmpatch/core/format.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t header_size = 92;
constexpr std::size_t at_version = 16;
constexpr std::size_t at_data_length = 20;

std::uint32_t number_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

}  // namespace

Result<std::string_view> find_saved_xml(std::string_view bytes, std::string_view name) {
  // A machine whose memory was being saved when libvirt stopped may still need its disks.
  const bool is_known = bytes.starts_with("LibvirtQemudSave") || bytes.starts_with("LibvirtQemudPart");
  if (!is_known) return fail(Errc::failed, "{} is no file of saved memory", name);
  if (bytes.size() < header_size) return fail(Errc::failed, "{} is cut off in its header", name);
  const std::uint32_t version = number_at(bytes, at_version);
  if (version != 1 && version != 2) return fail(Errc::failed, "{} has version {} of saved memory, which is not known", name, version);
  const std::string_view data = bytes.substr(header_size, number_at(bytes, at_data_length));
  const auto end = data.find('\0');
  if (end == std::string_view::npos) return fail(Errc::failed, "{} has no end of its domain XML", name);
  return data.substr(0, end);
}

}  // namespace vmpatch::inventory
