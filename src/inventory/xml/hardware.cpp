#include "inventory/xml/hardware.hpp"

#include <array>
#include <charconv>

#include "inventory/xml/document.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::xml {
namespace {

/// docs/formatdomain.rst, "Memory Allocation".
std::uint64_t unit_size(std::string_view unit) {
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 14> units{{{"b", 1},
                                                                                     {"bytes", 1},
                                                                                     {"KB", 1000},
                                                                                     {"k", 1ULL << 10U},
                                                                                     {"KiB", 1ULL << 10U},
                                                                                     {"MB", 1'000'000},
                                                                                     {"M", 1ULL << 20U},
                                                                                     {"MiB", 1ULL << 20U},
                                                                                     {"GB", 1'000'000'000},
                                                                                     {"G", 1ULL << 30U},
                                                                                     {"GiB", 1ULL << 30U},
                                                                                     {"TB", 1'000'000'000'000},
                                                                                     {"T", 1ULL << 40U},
                                                                                     {"TiB", 1ULL << 40U}}};
  for (const auto& [name, size] : units) {
    if (name == unit) return size;
  }
  return 0;
}

/// Bytes; 0 for what is no size.
std::uint64_t read_size(const xmlNode* node) {
  const std::string number(trim(text(node)));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const std::uint64_t unit = unit_size(attribute_or(node, "unit", "KiB"));
  const bool good = error == std::errc() && end == number.data() + number.size() && unit != 0 && value <= UINT64_MAX / unit;
  return good ? value * unit : 0;
}

std::filesystem::path read_path(const xmlNode* node) {
  const std::string path(trim(text(node)));
  return path.empty() ? attribute_or(child(node, "source"), "file", "") : path;
}

bool wants_secure_boot(const xmlNode* os) {
  for (const xmlNode* feature : children(child(os, "firmware"), "feature")) {
    if (attribute(feature, "name") == "secure-boot") return attribute(feature, "enabled") == "yes";
  }
  return false;
}

void read_firmware(const xmlNode* os, Hardware& hardware) {
  const xmlNode* loader = child(os, "loader");
  const xmlNode* nvram = child(os, "nvram");
  hardware.loader = read_path(loader);
  hardware.loader_is_flash = attribute(loader, "type") == "pflash";
  hardware.nvram = read_path(nvram);
  hardware.nvram_template = attribute_or(nvram, "template", "");
  hardware.efi = attribute(os, "firmware") == "efi" || hardware.loader_is_flash || nvram != nullptr;
  hardware.secure = attribute(loader, "secure") == "yes" || wants_secure_boot(os);
  for (const xmlNode* file : {loader, nvram}) {
    const std::string format = attribute_or(file, "format", "raw");
    if (format != "raw") hardware.firmware_format = format;
  }
}

}  // namespace

Hardware read_hardware(const xmlNode* domain) {
  Hardware hardware;
  const xmlNode* os = child(domain, "os");
  const xmlNode* type = child(os, "type");
  hardware.arch = attribute_or(type, "arch", "");
  hardware.machine = attribute_or(type, "machine", "");
  read_firmware(os, hardware);
  hardware.kernel = read_path(child(os, "kernel"));
  hardware.memory = read_size(child(domain, "memory"));
  hardware.vcpus = number_or(trim(text(child(domain, "vcpu"))), 0);
  hardware.local_time = attribute(child(domain, "clock"), "offset") == "localtime";
  for (const xmlNode* controller : children(child(domain, "devices"), "controller")) {
    if (attribute(controller, "type") != "scsi") continue;
    hardware.scsi_model = attribute_or(controller, "model", "");
    break;
  }
  return hardware;
}

}  // namespace vmpatch::inventory::xml
