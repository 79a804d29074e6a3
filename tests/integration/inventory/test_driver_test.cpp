// The libvirt source on libvirt's own test driver: real libvirt, no daemon.
#include <gmock/gmock.h>

#include <sys/socket.h>
#include <netinet/in.h>

#include "unit/inventory/images.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::inventory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* uuid_start = "a7d6c2f0-2f33-4b71-a2d5-00000000000";

std::string domain(int number, const std::string& name, const std::string& state, const std::string& disks) {
  return "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>" + name + "</name><uuid>" + uuid_start +
         std::to_string(number) + "</uuid><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>" +
         "<metadata><p:vm-patch xmlns:p='https://vm-patch.org/domain/1' group='web'/></metadata><devices>" + disks + "</devices>" +
         (state.empty() ? "" : "<test:runstate>" + state + "</test:runstate>") + "</domain>";
}

std::string disk(const fs::path& image) {
  return "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='" + image.string() +
         "'/><target dev='vda' bus='virtio'/></disk>";
}

/// virDomainState of libvirt, as the test driver wants it: 1 running, 3 paused, 5 shutoff, 6 crashed.
class TestDriver : public testing::Test {
 protected:
  std::string node(const std::string& body) {
    const auto file = images_ / "node.xml";
    if (!write_file_atomic(file, "<node>" + body + "</node>")) throw std::runtime_error("cannot write the node file");
    return "test://" + file.string();
  }
  test::Images images_;
  NullLog log_;
};

TEST_F(TestDriver, machines_come_with_state_disks_and_metadata) {
  const auto image = images_.qcow2("web.qcow2");
  const auto source = make_libvirt_source(node(domain(1, "web", "5", disk(image)) + domain(2, "on", "1", "") + domain(3, "halted", "3", "") +
                                               domain(4, "broken", "6", "")), log_);
  const auto host = source->list();
  EXPECT_EQ(host.problem, "");
  ASSERT_EQ(host.machines.size(), 4U);
  const auto state_of = [&](const std::string& name) {
    for (const Machine& machine : host.machines) {
      if (machine.name == name) return machine.state;
    }
    throw std::runtime_error("no " + name);
  };
  EXPECT_EQ(state_of("web"), State::shutoff);
  EXPECT_EQ(state_of("on"), State::running);
  EXPECT_EQ(state_of("halted"), State::paused);
  EXPECT_EQ(state_of("broken"), State::crashed);
  const Machine& web = host.machines.back();
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.uuid, std::string(uuid_start) + "1");
  EXPECT_EQ(web.metadata.group, "web");
  EXPECT_TRUE(web.local);
  EXPECT_EQ(web.disks.at(0).source, image);
  EXPECT_EQ(web.disks[0].format, "qcow2");
}

TEST_F(TestDriver, find_by_name_and_by_uuid) {
  const auto source = make_libvirt_source(node(domain(1, "web", "5", "") + domain(2, "db", "5", "")), log_);
  const auto by_name = source->find("web");
  ASSERT_TRUE(by_name) << by_name.error().message;
  EXPECT_EQ(by_name->state, State::shutoff);
  const auto by_uuid = source->find(std::string(uuid_start) + "2");
  ASSERT_TRUE(by_uuid) << by_uuid.error().message;
  EXPECT_EQ(by_uuid->name, "db");
  const auto none = source->find("nobody");
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().message, HasSubstr("test://"));
}

TEST_F(TestDriver, a_name_that_is_another_machines_uuid_is_refused) {
  const std::string uuid = std::string(uuid_start) + "2";
  const auto source = make_libvirt_source(node(domain(1, uuid, "5", "") + domain(2, "db", "5", "")), log_);
  EXPECT_EQ(source->find(uuid).error().code, Errc::refused);
}

TEST_F(TestDriver, a_broken_node_file_is_the_hosts_problem_and_nothing_is_printed) {
  testing::internal::CaptureStderr();
  const auto host = make_libvirt_source("test://" + (images_ / "none.xml").string(), log_)->list();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(host.problem, HasSubstr("connect to test://"));
  EXPECT_THAT(host.machines, IsEmpty());
}

TEST_F(TestDriver, pools_give_allowed_folders_and_orphans) {
  // The test driver's pools have volumes that are no files: only the folder counts.
  const auto folder = fs::canonical(images_.path());
  const auto uri = node("<pool type='dir'><name>images</name><target><path>" + folder.string() + "</path></target></pool>");
  const auto host = make_libvirt_source(uri, log_)->list();
  EXPECT_EQ(host.problem, "");
  EXPECT_THAT(host.pool_dirs, ElementsAre(folder));
}

TEST_F(TestDriver, lineage_over_listed_machines) {
  const auto base = images_.qcow2("base.qcow2");
  const auto clone = images_.overlay("clone.qcow2", base);
  Inventory inventory;
  inventory.hosts.push_back(make_libvirt_source(node(domain(1, "tmpl", "5", disk(base)) + domain(2, "web", "5", disk(clone))), log_)->list());
  load_lineage(inventory, {});
  EXPECT_THAT(test::named(inventory, "tmpl").children, ElementsAre("web"));
  EXPECT_THAT(write_obstacles(test::named(inventory, "web")), IsEmpty());
}

TEST_F(TestDriver, a_host_that_takes_the_call_and_stays_silent_is_not_reachable) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), plain, length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), plain, &length), 0);
  const auto host = make_libvirt_source("qemu+tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/system", log_)->list();
  EXPECT_THAT(host.problem, HasSubstr("no answer for 15 s"));
}

}  // namespace
}  // namespace vmpatch::inventory
