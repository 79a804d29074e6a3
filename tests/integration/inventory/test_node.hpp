#pragma once

#include <stdexcept>

#include "unit/inventory/images.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::test {

/// The URI of a host of libvirt's test driver with one machine that is shut off; its description is the file `name` beside the images.
inline std::string test_node(const Images& images, const std::string& name, const std::string& machine, const std::filesystem::path& image) {
  const auto file = images / name;
  const std::string xml = "<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>" + machine +
                          "</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file'><driver type='qcow2'/><source file='" +
                          image.string() + "'/><target dev='vda'/></disk></devices><test:runstate>5</test:runstate></domain></node>";
  if (!write_file_atomic(file, xml)) throw std::runtime_error("cannot write the node file");
  return "test://" + file.string();
}

}  // namespace vmpatch::test
