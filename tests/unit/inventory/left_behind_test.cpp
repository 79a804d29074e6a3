// What a libvirtd that does not answer left in its folders.
#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "unit/inventory/libvirt_files.hpp"

namespace vmpatch::inventory {
namespace {

using test::file_disk;
using test::LibvirtFiles;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = LeftMachine::Kind;

std::vector<std::pair<std::string, Kind>> told(const LeftBehind& left) {
  std::vector<std::pair<std::string, Kind>> all;
  for (const LeftMachine& one : left.machines) all.emplace_back(one.machine.name, one.kind);
  return all;
}

/// Of a process that has been and gone.
int dead_pid() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

TEST(LeftBehind, a_host_without_machines_left_nothing) {
  LibvirtFiles files;
  EXPECT_TRUE(files.load().nothing());
  EXPECT_FALSE(may_hold_machines(files.folders));
  fs::create_directories(files.folders.definitions / "networks");
  files.write(files.folders.definitions / "networks/default.xml", "<network/>");
  files.write(files.folders.status / "driver.pid", "1");
  EXPECT_TRUE(files.load().nothing());
  const LibvirtFolders none{"/none/1", "/none/2", "/none/3", "/none/4", "/none/5", "/none/6", "/none/7"};
  EXPECT_TRUE(load_left_behind(none).nothing());
  EXPECT_FALSE(may_hold_machines(none));
}

TEST(LeftBehind, definitions_status_and_saved_memory_name_machines_with_their_disks) {
  LibvirtFiles files;
  files.define("web", file_disk("/srv/web.qcow2"));
  EXPECT_TRUE(may_hold_machines(files.folders));
  files.note("db", file_disk("/srv/db.qcow2"), ::getpid());
  files.note("gone", file_disk("/srv/gone.qcow2"), dead_pid());
  files.save("web", file_disk("/srv/web.qcow2"));
  files.save("half", file_disk("/srv/half.qcow2"), "LibvirtQemudPart");
  const LeftBehind left = files.load();
  EXPECT_THAT(left.unread, IsEmpty());
  EXPECT_THAT(told(left), ElementsAre(std::pair("half", Kind::saved), std::pair("web", Kind::saved), std::pair("db", Kind::running),
                                      std::pair("gone", Kind::noted), std::pair("web", Kind::defined)));
  EXPECT_EQ(left.machines[2].machine.disks.at(0).source, "/srv/db.qcow2");
  EXPECT_EQ(left.machines[1].file, files.folders.saves / "web.save");
}

TEST(LeftBehind, a_pid_that_is_none_is_no_process) {
  LibvirtFiles files;
  for (const std::string pid : {"-1", "0", "", "x", "1x", "99999999999"}) {
    files.write(files.folders.status / "db.xml", "<domstatus pid='" + pid + "'>" + test::domain_xml("db", "") + "</domstatus>");
    EXPECT_THAT(told(files.load()), ElementsAre(std::pair("db", Kind::noted))) << pid;
  }
}

TEST(LeftBehind, each_kind_of_file_alone_is_a_machine) {
  LibvirtFiles noted;
  noted.note("db", "", 1);
  EXPECT_TRUE(may_hold_machines(noted.folders));
  LibvirtFiles saved;
  saved.save("web", "");
  EXPECT_TRUE(may_hold_machines(saved.folders));
}

TEST(LeftBehind, volumes_are_found_in_active_and_in_persistent_pools) {
  LibvirtFiles files;
  const auto volume = [](const std::string& pool, const std::string& name) {
    return "<disk type='volume'><driver name='qemu' type='raw'/><source pool='" + pool + "' volume='" + name + "'/><target dev='vda'/></disk>";
  };
  const std::string target = "<target><path>/srv/pool</path></target>";
  files.write(files.folders.pools / "kept.xml", "<pool type='dir'><name>kept</name>" + target + "</pool>");
  files.write(files.folders.pool_status / "live.xml", "<poolstate><pool type='dir'><name>live</name>" + target + "</pool></poolstate>");
  files.define("a", volume("kept", "a.img"));
  files.define("b", volume("live", "b.img"));
  files.define("c", volume("none", "c.img"));
  files.define("d", volume("../storage/kept", "d.img"));
  files.define("e", volume("kept", "../e.img"));
  const LeftBehind left = files.load();
  ASSERT_EQ(left.machines.size(), 5U);
  EXPECT_EQ(left.machines[0].machine.disks.at(0).source, "/srv/pool/a.img");
  EXPECT_EQ(left.machines[1].machine.disks.at(0).source, "/srv/pool/b.img");
  EXPECT_THAT(left.unread, ElementsAre(HasSubstr("volume c.img of storage pool none"), HasSubstr("d.img"), HasSubstr("e.img")));
}

TEST(LeftBehind, what_cannot_be_read_is_told_and_does_not_hang) {
  LibvirtFiles files;
  files.write(files.folders.definitions / "broken.xml", "<domain>");
  files.write(files.folders.definitions / "large.xml", test::domain_xml("large", std::string((4U << 20U), ' ')));
  files.write(files.folders.status / "other.xml", "<domstatus><other/></domstatus>");
  files.write(files.folders.saves / "empty.save", "");
  files.write(files.folders.saves / "net.save", "LibvirtXMLSave");
  ASSERT_EQ(::mkfifo((files.folders.saves / "pipe.save").c_str(), 0600), 0);
  fs::create_symlink(files.folders.saves / "net.save", files.folders.saves / "link.save");
  fs::create_directory(files.folders.definitions / "folder.xml");
  EXPECT_THAT(files.load().machines, IsEmpty());
  EXPECT_THAT(files.load().unread,
              ElementsAre(HasSubstr("empty.save is no file of saved memory"), HasSubstr("link.save is a symbolic link"),
                          HasSubstr("net.save is no file of saved memory"), HasSubstr("pipe.save is no regular file"),
                          HasSubstr("other.xml has no <domain>"), HasSubstr("broken.xml is not well-formed"),
                          HasSubstr("folder.xml is no regular file"), HasSubstr("large.xml is larger than 4 MiB")));
  // A folder in the place of which something else is may hold machines.
  fs::remove_all(files.folders.saves);
  files.write(files.folders.saves, "a file");
  EXPECT_THAT(files.load().unread, testing::Contains(HasSubstr("read folder")));
  EXPECT_TRUE(may_hold_machines(files.folders));
}

TEST(LeftBehind, a_definition_that_is_a_link_is_followed_as_libvirt_does) {
  LibvirtFiles files;
  LibvirtFiles elsewhere;
  elsewhere.define("web", file_disk("/srv/web.qcow2"));
  fs::create_symlink(elsewhere.folders.definitions / "web.xml", files.folders.definitions / "web.xml");
  EXPECT_THAT(told(files.load()), ElementsAre(std::pair("web", Kind::defined)));
}

/// An image that is listed while a libvirt is silent.
class Silence : public testing::Test {
 protected:
  std::vector<std::string> obstacles(const fs::path& image, bool without_libvirt = false) {
    Inventory inventory;
    inventory.hosts.emplace_back();
    inventory.hosts[0].host = "qemu:///system";
    inventory.hosts[0].problem = "Failed to connect socket";
    inventory.hosts[0].left = files_.load();
    inventory.hosts.push_back(make_bare_source({{image, image::Format::qcow2}})->list());
    ChainOptions options;
    options.without_libvirt = without_libvirt;
    load_lineage(inventory, options);
    return write_obstacles(inventory.hosts[1].machines.at(0));
  }
  LibvirtFiles files_;
  test::Images images_;
};

TEST_F(Silence, of_a_libvirt_without_machines_is_no_obstacle) { EXPECT_THAT(obstacles(images_.qcow2("a.qcow2")), IsEmpty()); }

TEST_F(Silence, an_image_that_a_machine_has_is_refused_whatever_the_operator_says) {
  const auto image = images_.qcow2("a.qcow2");
  fs::create_hard_link(image, images_ / "link.qcow2");
  files_.define("web", file_disk(images_ / "link.qcow2"));
  for (const bool without_libvirt : {false, true}) {
    EXPECT_THAT(obstacles(image, without_libvirt),
                ElementsAre(testing::AllOf(HasSubstr("a.qcow2 is disk vda of web, which is defined"), HasSubstr("qemu/web.xml says so"),
                                           HasSubstr("qemu:///system does not answer: Failed to connect socket"),
                                           HasSubstr("start that libvirt, and name the machine with -d web"))));
  }
  files_.note("web", file_disk(image), dead_pid());
  EXPECT_THAT(obstacles(image), ElementsAre(HasSubstr("which was running")));
  files_.note("web", file_disk(image), ::getpid());
  EXPECT_THAT(obstacles(image), ElementsAre(HasSubstr("which is running")));
  files_.save("web", file_disk(image));
  EXPECT_THAT(obstacles(image), ElementsAre(testing::AllOf(HasSubstr("whose memory is saved"), HasSubstr("web.save says so"))));
}

TEST_F(Silence, a_backing_file_of_a_machines_disk_is_refused_by_header_and_by_xml) {
  const auto base = images_.qcow2("base.qcow2");
  const auto overlay = images_.overlay("top.qcow2", base);
  fs::rename(overlay, images_ / "elsewhere");  // so that it is no child by its folder
  test::Scratch folder;
  fs::copy_file(images_ / "elsewhere", folder / "top.qcow2");
  fs::remove(images_ / "elsewhere");
  files_.save("clone", file_disk(folder / "top.qcow2"));
  EXPECT_THAT(obstacles(base, true), ElementsAre(HasSubstr("is a backing file of disk vda of clone, whose memory is saved")));
  files_.save("clone", "<disk type='file'><driver type='qcow2'/><source file='/gone'/><backingStore type='file'><format type='qcow2'/><source file='" +
                           base.string() + "'/></backingStore><target dev='vda'/></disk>");
  EXPECT_THAT(obstacles(base, true), ElementsAre(HasSubstr("is a backing file of disk vda of clone")));
}

TEST_F(Silence, a_disk_that_is_no_file_is_not_opened) {
  ASSERT_EQ(::mkfifo((images_ / "pipe").c_str(), 0600), 0);
  files_.save("evil", file_disk(images_ / "pipe"));
  const UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(watch.get(), (images_ / "pipe").c_str(), IN_OPEN), 0);
  EXPECT_THAT(obstacles(images_.qcow2("a.qcow2"), true), IsEmpty());
  std::array<char, 4096> events{};
  EXPECT_EQ(::read(watch.get(), events.data(), events.size()), -1) << "it was opened";
}

TEST_F(Silence, any_other_image_is_not_known_unless_the_operator_says_so) {
  const auto image = images_.qcow2("a.qcow2");
  files_.define("web", file_disk("/srv/web.qcow2"));
  EXPECT_THAT(obstacles(image), ElementsAre(testing::AllOf(HasSubstr("a.qcow2 may be a machine's"), HasSubstr("qemu:///system does not answer"),
                                                           HasSubstr("has machines"), HasSubstr("--without-libvirt"))));
  EXPECT_THAT(obstacles(image, true), IsEmpty());
  files_.write(files_.folders.saves / "x.save", "nothing");
  EXPECT_THAT(obstacles(image), ElementsAre(HasSubstr("x.save is no file of saved memory")));
}

TEST_F(Silence, of_a_daemon_whose_folders_are_not_known_leaves_every_image_open) {
  Inventory inventory;
  inventory.hosts.emplace_back();
  inventory.hosts[0].host = "qemu+unix:///system?socket=/x";
  inventory.hosts[0].problem = "no answer for 15 s";
  inventory.hosts[0].left = unknown_folders(inventory.hosts[0].host);
  inventory.hosts.push_back(make_bare_source({{images_.qcow2("a.qcow2"), image::Format::qcow2}})->list());
  load_lineage(inventory, {});
  EXPECT_THAT(write_obstacles(inventory.hosts[1].machines.at(0)), ElementsAre(HasSubstr("where qemu+unix:///system?socket=/x keeps its machines is not known")));
}

TEST_F(Silence, machines_that_its_folders_name_are_the_hosts_where_they_are_asked_for) {
  const auto base = images_.qcow2("base.qcow2");
  const auto overlay = images_.overlay("top.qcow2", base);
  files_.define("off", file_disk(base));
  files_.note("gone", file_disk(images_ / "gone"), dead_pid());
  files_.note("on", file_disk(images_ / "on"), ::getpid());
  files_.save("kept", file_disk(overlay));
  Inventory inventory;
  inventory.hosts.emplace_back();
  inventory.hosts[0].host = "qemu:///system";
  inventory.hosts[0].problem = "Failed to connect socket";
  inventory.hosts[0].left = files_.load();
  ChainOptions options;
  options.left_as_machines = true;
  load_lineage(inventory, options);
  std::map<std::string, Machine> machines;
  for (const Machine& machine : inventory.hosts[0].machines) machines[machine.name] = machine;
  ASSERT_EQ(machines.size(), 4U);
  EXPECT_TRUE(machines["off"].dormant());
  EXPECT_THAT(machines["off"].children, ElementsAre(HasSubstr("kept")));
  EXPECT_EQ(machines["gone"].state, State::shutoff);
  EXPECT_EQ(machines["on"].state, State::running);
  EXPECT_TRUE(machines["kept"].managed_save);
  EXPECT_EQ(machines["kept"].host, "qemu:///system");
}

TEST(LibvirtFolders, are_known_of_the_system_and_of_the_session_of_this_user) {
  EXPECT_EQ(libvirt_folders("qemu:///system")->saves, "/var/lib/libvirt/qemu/save");
  EXPECT_EQ(libvirt_folders("qemu+unix:///system")->definitions, "/etc/libvirt/qemu");
  EXPECT_EQ(libvirt_folders("qemu:///system?no_verify=1")->sockets, "/run/libvirt");
  ::setenv("HOME", "/home/u", 1);
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  ::unsetenv("XDG_CONFIG_HOME");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(libvirt_folders("qemu:///session")->definitions, "/home/u/.config/libvirt/qemu");
  EXPECT_EQ(libvirt_folders("qemu:///session")->saves, "/home/u/.config/libvirt/qemu/save");
  EXPECT_EQ(libvirt_folders("qemu:///session")->status, "/run/user/7/libvirt/qemu/run");
  EXPECT_EQ(libvirt_folders("qemu:///session")->logs, "/home/u/.cache/libvirt/qemu/log");
  ::unsetenv("XDG_RUNTIME_DIR");
  ::setenv("XDG_CONFIG_HOME", "/config", 1);
  EXPECT_EQ(libvirt_folders("qemu:///session")->pools, "/config/libvirt/storage");
  EXPECT_EQ(libvirt_folders("qemu:///session")->sockets, "/home/u/.cache/libvirt");
  for (const char* uri : {"qemu:///system?socket=/x", "qemu+ssh://h/system", "qemu:///embed?root=/x", "test:///default", "xen:///system", ""}) {
    EXPECT_FALSE(libvirt_folders(uri)) << uri;
  }
}

}  // namespace
}  // namespace vmpatch::inventory
