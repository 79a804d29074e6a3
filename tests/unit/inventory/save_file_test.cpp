#include "inventory/left/save_file.hpp"

#include <gmock/gmock.h>

#include "unit/inventory/libvirt_files.hpp"

namespace vmpatch::inventory {
namespace {

using test::save_head;

std::string xml_of(const std::string& bytes) {
  const auto xml = find_saved_xml(bytes, "web.save");
  return xml ? std::string(*xml) : "error: " + xml.error().message;
}

const std::string zero(1, '\0');

TEST(SaveFile, has_its_domain_xml_up_to_the_first_zero) {
  const std::string data = "<domain/>" + zero + "<cookie/>" + std::string(100, '\0');
  EXPECT_EQ(xml_of(save_head(data) + "QEVM memory"), "<domain/>");
  EXPECT_EQ(xml_of(save_head(data, "LibvirtQemudPart")), "<domain/>") << "libvirt was still writing it";
  EXPECT_EQ(xml_of(save_head(data, "LibvirtQemudSave", 1)), "<domain/>");
}

TEST(SaveFile, lengths_that_lie_never_lead_out_of_the_file) {
  std::string head = save_head("<domain/>" + zero);
  head.replace(20, 4, test::little_endian(0xffffffffU));
  EXPECT_EQ(xml_of(head), "<domain/>") << "the zero ends it";
  head.replace(20, 4, test::little_endian(9));
  EXPECT_THAT(xml_of(head), testing::HasSubstr("no end of its domain XML")) << "the zero is not in the data";
  head.replace(20, 4, test::little_endian(0));
  EXPECT_THAT(xml_of(head), testing::HasSubstr("no end of its domain XML"));
  head.replace(20, 4, test::little_endian(0xffffffffU));
  EXPECT_THAT(xml_of(head.substr(0, head.size() - 1)), testing::HasSubstr("no end of its domain XML"));
}

TEST(SaveFile, what_is_none_or_unknown_is_an_error_with_its_name) {
  EXPECT_THAT(xml_of(""), testing::HasSubstr("web.save is no file of saved memory"));
  EXPECT_THAT(xml_of("LibvirtQemudSav"), testing::HasSubstr("no file of saved memory"));
  EXPECT_THAT(xml_of(save_head("<domain/>" + zero, "LibvirtQemudNone")), testing::HasSubstr("no file of saved memory"));
  EXPECT_THAT(xml_of(save_head("<domain/>" + zero, "LibvirtQemudSave", 3)), testing::HasSubstr("version 3"));
  EXPECT_THAT(xml_of(save_head("<domain/>" + zero, "LibvirtQemudSave", 0x02000000)), testing::HasSubstr("is not known"));
  for (std::size_t length = 16; length < 92; ++length) {
    EXPECT_THAT(xml_of(save_head("<domain/>" + zero).substr(0, length)), testing::HasSubstr("cut off in its header")) << length;
  }
}

}  // namespace
}  // namespace vmpatch::inventory
