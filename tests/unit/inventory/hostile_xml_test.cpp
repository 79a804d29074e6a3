#include <gtest/gtest.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

const std::string head = "<domain type='kvm'><name>web01</name><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid>";

Error error_of(const std::string& xml) {
  auto machine = parse_domain_xml(xml, "web01");
  return machine ? Error{Errc::failed, "accepted"} : machine.error();
}

void expect_error(const std::string& xml, Errc code, const std::string& part) {
  const Error error = error_of(xml);
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
}

TEST(HostileXml, document_type_is_refused) {
  expect_error("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'>" + head + "</domain>", Errc::refused, "document type");
}

TEST(HostileXml, external_entity_is_refused_before_it_is_read) {
  expect_error("<?xml version='1.0'?><!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"
               "<domain><name>&x;</name><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid></domain>", Errc::refused, "document type");
}

TEST(HostileXml, entity_bomb_is_refused) {
  std::string bomb = "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'>";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string("<!ENTITY ") + c + " '";
    for (int i = 0; i < 10; ++i) bomb += std::string("&") + static_cast<char>(c - 1) + ";";
    bomb += "'>";
  }
  expect_error(bomb + "]><domain><name>&j;</name></domain>", Errc::refused, "document type");
}

TEST(HostileXml, undeclared_entity_is_an_error) {
  expect_error("<domain><name>&nope;</name></domain>", Errc::failed, "not well-formed");
}

TEST(HostileXml, utf16_is_not_read_as_something_else) {
  std::string wide;
  for (const char c : head + "</domain>") wide += std::string{c, '\0'};
  EXPECT_EQ(error_of("\xff\xfe" + wide).code, Errc::failed);
  EXPECT_NE(error_of("\xff\xfe" + wide).message, "accepted");
}

TEST(HostileXml, xinclude_is_left_alone) {
  const auto machine = parse_domain_xml(
      head + "<devices><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd' parse='text'/></devices></domain>", "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_TRUE(machine->disks.empty());
}

TEST(HostileXml, more_than_64_levels_are_refused) {
  std::string deep = head;
  for (int i = 0; i < 64; ++i) deep += "<a>";
  for (int i = 0; i < 64; ++i) deep += "</a>";
  expect_error(deep + "</domain>", Errc::refused, "nested deeper");
}

TEST(HostileXml, sixty_four_levels_are_read) {
  std::string deep = head;
  for (int i = 0; i < 63; ++i) deep += "<a>";
  for (int i = 0; i < 63; ++i) deep += "</a>";
  EXPECT_TRUE(parse_domain_xml(deep + "</domain>", "web01"));
}

TEST(HostileXml, more_than_4_mib_are_refused) {
  expect_error(head + std::string(4U << 20U, ' ') + "</domain>", Errc::refused, "larger than");
}

TEST(HostileXml, duplicate_target_is_refused) {
  const std::string disk = "<disk type='file'><driver type='raw'/><source file='/a'/><target dev='vda'/></disk>";
  expect_error(head + "<devices>" + disk + disk + "</devices></domain>", Errc::refused, "two disks with target vda");
}

TEST(HostileXml, duplicate_target_in_a_second_devices_element_is_refused) {
  const std::string devices = "<devices><disk type='file'><source file='/a'/><target dev='vda'/></disk></devices>";
  expect_error(head + devices + devices + "</domain>", Errc::refused, "two disks with target vda");
}

TEST(HostileXml, disk_without_target_is_an_error) {
  expect_error(head + "<devices><disk type='file'/></devices></domain>", Errc::failed, "without a target");
}

TEST(HostileXml, elements_and_attributes_of_other_namespaces_are_not_disks) {
  const auto machine = parse_domain_xml(
      head + "<devices xmlns:q='urn:q'><q:disk type='file'><target dev='vda'/></q:disk>"
             "<disk type='file'><q:driver type='raw'/><source q:file='/evil'/><target dev='vdb'/></disk></devices></domain>", "web01");
  ASSERT_TRUE(machine) << machine.error().message;
  ASSERT_EQ(machine->disks.size(), 1U);
  EXPECT_EQ(machine->disks[0].target, "vdb");
  EXPECT_EQ(machine->disks[0].format, std::nullopt);
  EXPECT_EQ(machine->disks[0].source, std::nullopt);
}

TEST(HostileXml, other_documents_are_errors) {
  expect_error("", Errc::failed, "not well-formed");
  expect_error("no xml", Errc::failed, "not well-formed");
  expect_error("<domain><name>x</name>", Errc::failed, "not well-formed");
  expect_error("<pool/>", Errc::failed, "root is <pool>");
  expect_error("<domain xmlns='urn:x'/>", Errc::failed, "not a <domain>");
  expect_error("<domain><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid></domain>", Errc::failed, "no <name>");
  expect_error("<domain><name>x</name><uuid>1</uuid></domain>", Errc::failed, "no valid <uuid>");
}

TEST(HostileXml, messages_are_escaped) {
  const auto machine = parse_domain_xml("<domain", "a\x1b[31m");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::inventory
