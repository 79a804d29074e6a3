// The libvirt source on a libvirtd of its own and on the embedded driver: volumes, pools, managed state.
#include <gmock/gmock.h>

#include <csignal>

#include "unit/inventory/images.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string domain(const std::string& name, const std::string& disk) {
  return "<domain type='qemu'><name>" + name + "</name><memory unit='MiB'>32</memory><os><type>hvm</type></os><devices>" + disk +
         "</devices></domain>";
}

class PrivateLibvirtd {
 public:
  PrivateLibvirtd() {
    std::signal(SIGPIPE, SIG_IGN);
    uri_ = std::string(trim(script({"start"})));
  }
  PrivateLibvirtd(const PrivateLibvirtd&) = delete;
  PrivateLibvirtd& operator=(const PrivateLibvirtd&) = delete;
  ~PrivateLibvirtd() { script({"stop"}); }
  [[nodiscard]] const std::string& uri() const { return uri_; }
  void define(const std::string& name, const fs::path& image) {
    const auto file = folder_ / (name + ".xml");
    const std::string disk = "<disk type='file'><driver name='qemu' type='qcow2'/><source file='" + image.string() + "'/><target dev='vda'/></disk>";
    if (!write_file_atomic(file, domain(name, disk))) throw std::runtime_error("cannot write " + file.string());
    virsh({"define", file.string()});
  }
  void virsh(std::vector<std::string> words) {
    Command command;
    command.argv = {"virsh", "-q", "-c", uri_};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    auto done = run_checked(command);
    // A libvirtd that has only just begun to answer fails a definition now and then, and cannot say why.
    for (int again = 0; again < 3 && !done && done.error().message.find("the cause is unknown") != std::string::npos; ++again) done = run_checked(command);
    if (!done) throw std::runtime_error(done.error().message);
  }

  [[nodiscard]] fs::path folder() const { return folder_ / "d"; }
  [[nodiscard]] LibvirtFolders folders() const {
    const fs::path d = folder();
    return {d / "etc/qemu", d / "run/libvirt/qemu", d / "lib/qemu/save", d / "log/qemu",
            d / "etc/storage", d / "run/libvirt/storage", d / "run/libvirt"};
  }
  std::string script(const std::vector<std::string>& words) {
    // `start` leaves daemons behind, which run() would kill with the script's process group: setsid, and files for output.
    Command command;
    const auto out = (folder_ / "out").string();
    command.argv = {"setsid", "-w", "bash", "-c", std::string(VMPATCH_SOURCE_DIR) + "/tests/support/private-libvirtd.sh " + words[0] + " " +
                    folder().string() + " >" + out + " 2>&1"};
    const auto done = run_checked(command);
    const auto text = read_file(out);
    if (!done) throw std::runtime_error(done.error().message + (text ? *text : ""));
    return text ? *text : "";
  }

 private:
  test::Scratch folder_;
  std::string uri_;
};

TEST(Libvirtd, pools_volumes_states_and_saved_memory) {
  PrivateLibvirtd daemon;
  test::Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto clone = images.overlay("clone.qcow2", base);
  const auto lost = images.raw("lost.img");
  daemon.virsh({"pool-create-as", "images", "dir", "--target", images.path().string()});
  const auto define = [&](const std::string& name, const std::string& disk) {
    const auto file = images.path().string() + "-" + name + ".xml";
    ASSERT_TRUE(write_file_atomic(file, domain(name, disk)));
    daemon.virsh({"define", file});
    fs::remove(file);
  };
  define("tmpl", "<disk type='file'><driver name='qemu' type='qcow2'/><source file='" + base.string() + "'/><target dev='vda'/></disk>");
  define("web", "<disk type='volume'><driver name='qemu' type='qcow2'/><source pool='images' volume='clone.qcow2'/><target dev='vda'/></disk>");
  define("diskless", "");
  daemon.virsh({"start", "diskless", "--paused"});

  NullLog log;
  const auto source = make_libvirt_source(daemon.uri(), log);
  Inventory inventory;
  inventory.hosts.push_back(source->list());
  ASSERT_EQ(inventory.hosts[0].problem, "");
  load_lineage(inventory, {});
  EXPECT_EQ(test::named(inventory, "web").disks.at(0).source, fs::canonical(images.path()) / "clone.qcow2");
  EXPECT_EQ(test::named(inventory, "web").disks[0].layers.size(), 2U) << test::named(inventory, "web").disks[0].problem;
  EXPECT_THAT(test::named(inventory, "tmpl").children, ElementsAre("web"));
  EXPECT_EQ(test::named(inventory, "diskless").state, State::paused);
  ASSERT_EQ(inventory.hosts[0].orphans.size(), 1U);
  EXPECT_EQ(inventory.hosts[0].orphans[0].path.filename(), "lost.img");
  EXPECT_EQ(inventory.hosts[0].orphans[0].pool, "images");

  daemon.virsh({"managedsave", "diskless"});
  const auto saved = source->find("diskless");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->state, State::saved);
  EXPECT_TRUE(saved->managed_save);
  EXPECT_FALSE(saved->dormant());
  const auto listed = source->list();
  const auto same = std::find_if(listed.machines.begin(), listed.machines.end(), [](const Machine& m) { return m.name == "diskless"; });
  ASSERT_NE(same, listed.machines.end());
  EXPECT_EQ(same->state, State::saved);
}

/// One machine `web` on a libvirtd of its own, whose memory is in a file.
class SavedToFile : public testing::Test {
 protected:
  void SetUp() override {
    connect();
    daemon_.define("web", images_.qcow2("web.qcow2"));
    ASSERT_TRUE(web().dormant());
    daemon_.virsh({"start", "web"});
    daemon_.virsh({"save", "web", saved_});
  }
  void connect() { source_ = make_libvirt_source(daemon_.uri(), log_, daemon_.folders()); }
  /// As list() says, which must be what find() says: like whoever looks at a machine again, on the connection that there is.
  Machine web() {
    const auto found = source_->find("web");
    Inventory inventory;
    inventory.hosts.push_back(source_->list());
    Machine listed = test::named(inventory, "web");
    EXPECT_TRUE(found && dump_json(to_json(*found), 2) == dump_json(to_json(listed), 2)) << dump_json(to_json(listed), 2);
    return listed;
  }
  void restart_denying(const std::string& operations) {
    const std::string hook = "#!/bin/sh\ncat >/dev/null\ncase $2 in " + operations + ") exit 1 ;; esac\n";
    ASSERT_TRUE(write_file_atomic(daemon_.folder() / "etc/hooks/qemu", hook, 0755));
    restart();
  }
  void restart() {
    daemon_.script({"restart"});
    connect();
  }

  PrivateLibvirtd daemon_;
  test::Images images_;
  NullLog log_;
  std::unique_ptr<Source> source_;
  std::string saved_ = images_ / "web.memory";
};

TEST_F(SavedToFile, is_saved_until_the_machine_runs_again) {
  EXPECT_EQ(web().state, State::saved);
  EXPECT_FALSE(web().managed_save);
  ASSERT_TRUE(web().saved_to_file);
  EXPECT_EQ(web().saved_to_file->told_by, FileSave::Witness::libvirt);
  EXPECT_TRUE(web().saved_to_file->when);
  EXPECT_FALSE(web().dormant());
  daemon_.virsh({"restore", saved_});
  daemon_.virsh({"destroy", "web"});
  EXPECT_TRUE(web().dormant());
  daemon_.virsh({"start", "web"});
  daemon_.virsh({"managedsave", "web"});
  EXPECT_TRUE(web().managed_save);
  EXPECT_FALSE(web().saved_to_file);
  // Whether this memory or a file was thrown away, libvirt does not tell.
  daemon_.virsh({"managedsave-remove", "web"});
  EXPECT_TRUE(web().saved_to_file);
  daemon_.virsh({"start", "web"});
  daemon_.virsh({"destroy", "web"});
  EXPECT_TRUE(web().dormant());
}

TEST_F(SavedToFile, is_saved_after_the_daemon_was_restarted_and_after_starts_that_a_hook_denied) {
  const auto when = web().saved_to_file.value().when;
  restart_denying("prepare | restore");
  EXPECT_EQ(web().state, State::saved);
  EXPECT_EQ(web().saved_to_file.value().told_by, FileSave::Witness::log);
  EXPECT_EQ(web().saved_to_file.value().when, when);
  EXPECT_THROW(daemon_.virsh({"start", "web"}), std::runtime_error);
  EXPECT_EQ(web().state, State::saved) << "the reason is now that a start failed";
  restart_denying("start");
  EXPECT_THROW(daemon_.virsh({"restore", saved_}), std::runtime_error);
  EXPECT_EQ(web().state, State::saved);
  restart_denying("nothing");
  EXPECT_EQ(web().saved_to_file.value().when, when);
  daemon_.virsh({"start", "web"});
  daemon_.virsh({"destroy", "web"});
  restart();
  EXPECT_TRUE(web().dormant());
}

/// What list() leaves for images when nobody answers.
LeftBehind left_by(const PrivateLibvirtd& daemon) {
  NullLog log;
  HostInventory host = make_libvirt_source(daemon.uri(), log, daemon.folders())->list();
  EXPECT_NE(host.problem, "");
  EXPECT_TRUE(host.machines.empty());
  return host.left.value();
}

std::string told(const LeftBehind& left) {
  std::string text;
  for (const LeftMachine& one : left.machines) {
    text += one.machine.name + " " + std::to_string(static_cast<int>(one.kind)) + " " + one.machine.disks.at(0).source.value().filename().string() + "; ";
  }
  for (const std::string& unread : left.unread) text += unread + "; ";
  return text;
}

TEST(Libvirtd, leaves_its_machines_to_be_found_when_it_is_down) {
  PrivateLibvirtd daemon;
  test::Images images;
  NullLog log;
  const auto source = make_libvirt_source(daemon.uri(), log, daemon.folders());
  EXPECT_FALSE(may_hold_machines(daemon.folders()));
  EXPECT_FALSE(source->list().left);
  for (const std::string name : {"live", "off", "saved"}) daemon.define(name, images.qcow2(name + ".qcow2"));
  images.qcow2("volume.qcow2");
  daemon.virsh({"pool-create-as", "images", "dir", "--target", images.path().string()});
  const std::string volume = "<disk type='volume'><driver name='qemu' type='qcow2'/><source pool='images' volume='volume.qcow2'/><target dev='vda'/></disk>";
  ASSERT_TRUE(write_file_atomic(images / "transient.xml", domain("transient", volume)));
  daemon.virsh({"create", images / "transient.xml"});
  for (const char* name : {"live", "saved"}) daemon.virsh({"start", name});
  daemon.virsh({"managedsave", "saved"});
  EXPECT_TRUE(may_hold_machines(daemon.folders()));
  EXPECT_FALSE(source->list().left) << "it answers";
  daemon.script({"halt"});
  EXPECT_EQ(told(left_by(daemon)), "saved 3 saved.qcow2; live 2 live.qcow2; transient 2 volume.qcow2; live 0 live.qcow2; off 0 off.qcow2; saved 0 saved.qcow2; ");
  EXPECT_TRUE(source->list().left) << "a connection that was open does not help";
}

TEST(Libvirtd, that_is_silent_on_its_socket_has_left_its_machines_too) {
  PrivateLibvirtd daemon;
  test::Images images;
  daemon.define("web", images.qcow2("web.qcow2"));
  const auto pid = static_cast<pid_t>(std::stol(daemon.script({"pid"})));
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  EXPECT_EQ(told(left_by(daemon)), "web 0 web.qcow2; ");
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
}

TEST(EmbeddedDriver, is_listed_without_a_daemon) {
  test::Scratch root;
  NullLog log;
  const auto host = make_libvirt_source("qemu:///embed?root=" + (root / "r").string(), log)->list();
  EXPECT_EQ(host.problem, "");
  EXPECT_THAT(host.machines, IsEmpty());
}

}  // namespace
}  // namespace vmpatch::inventory
