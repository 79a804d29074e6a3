#include <gtest/gtest.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

std::string status_xml(const std::string& attributes, const std::string& job, const std::string& uuid = "A7D6C2F0-2f33-4b71-a2d5-000000000001") {
  return "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n<domstatus " + attributes + "><taint flag='high-privileges'/>" + job +
         "<domain type='qemu' id='2'><name>web</name><uuid>" + uuid + "</uuid><devices/></domain></domstatus>\n";
}

TEST(StatusXml, says_what_libvirt_notes_of_a_machine_that_is_saved) {
  const auto status = parse_domain_status(
      status_xml("state='paused' reason='save' pid='5963'", "<job type='none' async='save' flags='0x0' asyncStarted='1796045663277'/>"), "web");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->machine.uuid, "a7d6c2f0-2f33-4b71-a2d5-000000000001");
  EXPECT_EQ(status->state, "paused");
  EXPECT_EQ(status->reason, "save");
  EXPECT_EQ(status->job, "save");
  EXPECT_EQ(status->pid, 5963);
}

TEST(StatusXml, no_job_is_none) {
  EXPECT_EQ(parse_domain_status(status_xml("state='running' reason='booted' pid='2'", ""), "web")->job, "");
  EXPECT_EQ(parse_domain_status(status_xml("state='running' pid='2'", "<job type='none' async='none'/>"), "web")->job, "");
  EXPECT_EQ(parse_domain_status(status_xml("pid='2'", ""), "web")->state, "");
}

TEST(StatusXml, what_is_no_number_of_a_process_names_none) {
  for (const char* pid : {"", "pid=''", "pid='0'", "pid='1'", "pid='-7'", "pid='7x'", "pid='99999999999'"}) {
    const auto status = parse_domain_status(status_xml(std::string("state='running' ") + pid, ""), "web");
    ASSERT_TRUE(status) << pid;
    EXPECT_EQ(status->pid, 0) << pid;
  }
}

TEST(StatusXml, what_has_no_domain_is_an_error) {
  for (const auto& text : {status_xml("state='running' pid='7'", "", "x"), std::string("<domstatus state='running' pid='7'/>"),
                           std::string("<domain/>"), std::string()}) {
    const auto status = parse_domain_status(text, "web");
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code, Errc::failed) << text;
  }
}

TEST(StatusXml, has_the_bounds_of_all_other_xml) {
  EXPECT_EQ(parse_domain_status(status_xml("state='running' pid='7'", std::string(5U << 20U, ' ')), "web").error().code, Errc::refused);
  EXPECT_EQ(parse_domain_status("<!DOCTYPE d []>" + status_xml("state='running' pid='7'", ""), "web").error().code, Errc::refused);
}

}  // namespace
}  // namespace vmpatch::inventory
