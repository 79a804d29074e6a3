#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "unit/inventory/images.hpp"

namespace vmpatch::inventory {
namespace {

using test::Images;
using test::loaded;
using test::machine;
using test::named;
using test::one_host;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Lineage, layers_are_read_top_first) {
  Images images;
  const auto base = images.raw("base.raw");
  const auto top = images.overlay("top.qcow2", images.overlay("mid.qcow2", base, "raw"));
  const auto inventory = loaded(one_host({machine("web", top)}));
  const Disk& disk = named(inventory, "web").disks[0];
  ASSERT_EQ(disk.layers.size(), 3U) << disk.problem;
  EXPECT_EQ(disk.layers[0].path.filename(), "top.qcow2");
  EXPECT_EQ(disk.layers[2].path.filename(), "base.raw");
  EXPECT_EQ(disk.layers[2].format, image::Format::raw);
  EXPECT_EQ(disk.layers[0].virtual_size, 65536U);
}

TEST(Lineage, a_clone_is_its_templates_child_and_siblings_are_not) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto inventory = loaded(one_host({machine("tmpl", base), machine("a", images.overlay("a.qcow2", base)),
                                          machine("b", images.overlay("b.qcow2", base))}));
  EXPECT_THAT(named(inventory, "tmpl").children, ElementsAre("a", "b"));
  EXPECT_TRUE(named(inventory, "tmpl").is_template);
  EXPECT_THAT(named(inventory, "a").children, IsEmpty());
  EXPECT_FALSE(named(inventory, "a").is_template);
  EXPECT_THAT(write_obstacles(named(inventory, "a")), IsEmpty());
}

TEST(Lineage, grandchildren_count) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto top = images.overlay("top.qcow2", images.overlay("mid.qcow2", base));
  const auto inventory = loaded(one_host({machine("tmpl", base), machine("web", top)}));
  EXPECT_THAT(named(inventory, "tmpl").children, ElementsAre("web"));
}

TEST(Lineage, a_hard_link_is_the_same_base) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  fs::create_hard_link(base, images / "other.qcow2");
  const auto inventory = loaded(one_host({machine("tmpl", base), machine("web", images.overlay("web.qcow2", images / "other.qcow2"))}));
  EXPECT_THAT(named(inventory, "tmpl").children, ElementsAre("web"));
}

TEST(Lineage, an_overlay_that_no_machine_uses_is_a_child_by_its_path) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto overlay = images.overlay("lost.qcow2", base);
  const auto inventory = loaded(one_host({machine("tmpl", base)}));
  EXPECT_THAT(named(inventory, "tmpl").children, ElementsAre(overlay.string()));
}

TEST(Lineage, an_overlay_that_the_screen_refuses_is_a_child_all_the_same) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto overlay = images.overlay("json.qcow2", base);
  test::qemu_img({"rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b",
                  "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"" + base.string() + "\"}}", overlay.string()});
  const auto inventory = loaded(one_host({machine("tmpl", base), machine("odd", overlay)}));
  EXPECT_THAT(named(inventory, "odd").disks[0].problem, HasSubstr("json:"));
  EXPECT_THAT(named(inventory, "tmpl").children, ElementsAre("odd"));
}

TEST(Lineage, a_raw_disk_with_a_qcow2_header_inside_is_nobodys_child) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto fake = images.overlay("fake.img", base);
  fs::resize_file(fake, 1U << 20U);
  const auto inventory = loaded(one_host({machine("tmpl", base), machine("evil", fake, "raw")}));
  EXPECT_THAT(named(inventory, "tmpl").children, IsEmpty());
  EXPECT_EQ(named(inventory, "evil").disks[0].layers.size(), 1U);
}

TEST(Lineage, two_machines_on_one_image_share_it) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  const auto inventory = loaded(one_host({machine("a", image), machine("b", image)}));
  EXPECT_THAT(named(inventory, "a").shared_with, ElementsAre("b"));
  EXPECT_THAT(named(inventory, "b").shared_with, ElementsAre("a"));
  EXPECT_THAT(write_obstacles(named(inventory, "a")), ElementsAre(HasSubstr("shares a disk with b")));
}

TEST(Lineage, an_image_that_both_only_read_is_not_shared) {
  Images images;
  auto a = machine("a", images.raw("medium.iso"), "raw");
  a.disks[0].read_only = a.disks[0].shareable = true;
  auto b = a;
  b.name = "b";
  b.uuid = named_uuid("b");
  const auto inventory = loaded(one_host({a, b}));
  EXPECT_THAT(named(inventory, "a").shared_with, IsEmpty());
}

TEST(Lineage, one_machine_seen_through_two_uris_does_not_share_with_itself) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  auto inventory = one_host({machine("a", image)});
  inventory.hosts.push_back(inventory.hosts[0]);
  inventory.hosts[1].host = inventory.hosts[1].machines[0].host = "test+unix:///unit";
  load_lineage(inventory, {});
  EXPECT_THAT(inventory.hosts[0].machines[0].shared_with, IsEmpty());
}

TEST(Lineage, a_copy_of_the_definition_in_another_state_shares) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  auto inventory = one_host({machine("a", image)});
  inventory.hosts.push_back(inventory.hosts[0]);
  inventory.hosts[1].machines[0].host = "test:///two";
  inventory.hosts[1].machines[0].state = State::running;
  load_lineage(inventory, {});
  EXPECT_THAT(inventory.hosts[0].machines[0].shared_with, ElementsAre("a on test:///two"));
}

TEST(Lineage, one_image_on_two_targets_of_a_machine_is_a_problem) {
  Images images;
  auto a = machine("a", images.qcow2("one.qcow2"));
  a.disks.push_back(a.disks[0]);
  a.disks[1].target = "vdb";
  const auto inventory = loaded(one_host({a}));
  EXPECT_THAT(named(inventory, "a").disks[0].problem, HasSubstr("same image as disk vdb"));
}

TEST(Lineage, backing_files_elsewhere_need_permission) {
  Images images;
  Images elsewhere;
  const auto top = images.overlay("top.qcow2", elsewhere.qcow2("base.qcow2"));
  const auto refused = loaded(one_host({machine("web", top)}));
  EXPECT_THAT(named(refused, "web").disks[0].problem, HasSubstr("--allow-backing"));
  const auto allowed = loaded(one_host({machine("web", top)}), {{elsewhere.path()}, {}});
  EXPECT_EQ(named(allowed, "web").disks[0].problem, "");
  auto in_pool = one_host({machine("web", top)});
  in_pool.hosts[0].pool_dirs = {elsewhere.path()};
  load_lineage(in_pool, {});
  EXPECT_EQ(named(in_pool, "web").disks[0].problem, "");
}

TEST(Lineage, configured_chain_must_agree_with_the_header) {
  Images images;
  auto web = machine("web", images.overlay("top.qcow2", images.qcow2("base.qcow2")));
  web.disks[0].configured_chain.emplace();
  const auto inventory = loaded(one_host({web}));
  EXPECT_THAT(named(inventory, "web").disks[0].problem, HasSubstr("XML configures none"));
  EXPECT_FALSE(open_disk_chain(named(inventory, "web"), named(inventory, "web").disks[0], {}));
}

TEST(Lineage, problems_stay_with_their_disk) {
  Images images;
  auto web = machine("web", images.qcow2("good.qcow2"));
  web.disks.push_back(machine("x", images / "missing.qcow2").disks[0]);
  web.disks[1].target = "vdb";
  const auto inventory = loaded(one_host({web}));
  EXPECT_EQ(named(inventory, "web").disks[0].problem, "");
  EXPECT_THAT(named(inventory, "web").disks[1].problem, HasSubstr("missing.qcow2"));
  EXPECT_THAT(write_obstacles(named(inventory, "web")), ElementsAre(HasSubstr("disk vdb of web")));
}

TEST(Lineage, internal_snapshot_is_noted_and_is_no_saved_memory) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  test::qemu_img({"snapshot", "-c", "before", image.string()});
  const auto inventory = loaded(one_host({machine("web", image)}));
  EXPECT_TRUE(named(inventory, "web").has_snapshots);
  EXPECT_TRUE(named(inventory, "web").dormant());
}

TEST(Lineage, templates_by_metadata_and_by_pattern) {
  Images images;
  auto a = machine("golden", images.qcow2("a.qcow2"));
  a.metadata.role = "template";
  const auto inventory = loaded(one_host({a, machine("tmpl-web", images.qcow2("b.qcow2")), machine("web", images.qcow2("c.qcow2"))}),
                                {{}, {"tmpl-*"}});
  EXPECT_TRUE(named(inventory, "golden").is_template);
  EXPECT_TRUE(named(inventory, "tmpl-web").is_template);
  EXPECT_FALSE(named(inventory, "web").is_template);
}

TEST(Lineage, a_locked_bare_image_is_running) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  const UniqueFd fd(::open(image.c_str(), O_RDWR | O_CLOEXEC));
  // What a QEMU that writes holds: byte 101 (BLK_PERM_WRITE), read-locked.
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 101;
  lock.l_len = 1;
  ASSERT_EQ(::fcntl(fd.get(), F_OFD_SETLK, &lock), 0);
  Inventory inventory;
  inventory.hosts.push_back(make_bare_source({{image, image::Format::qcow2}})->list());
  load_lineage(inventory, {});
  EXPECT_EQ(inventory.hosts[0].machines.at(0).state, State::running);
}

const Time noon = *parse_time("2026-11-30T12:00:00Z");

ChainOptions recorded(std::optional<Time> saved, std::optional<Time> forgotten) {
  ChainOptions options;
  const auto of_web = [](std::optional<Time> time) {
    return [time](const std::string& uuid, const auto&...) { return uuid == named_uuid("web") ? time : std::nullopt; };
  };
  options.saved_memory = of_web(saved);
  options.forgotten_memory = of_web(forgotten);
  return options;
}

TEST(Lineage, memory_that_was_recorded_makes_a_shut_off_machine_saved_and_no_other) {
  Images images;
  auto live = machine("web", images.qcow2("live.qcow2"));
  live.host = "test:///two";
  live.state = State::running;
  const auto inventory = loaded(one_host({machine("web", images.qcow2("web.qcow2")), machine("db", images.qcow2("db.qcow2")), live}),
                                recorded(noon, std::nullopt));
  const Machine& web = named(inventory, "web");
  EXPECT_EQ(web.state, State::saved);
  ASSERT_TRUE(web.saved_to_file);
  EXPECT_EQ(web.saved_to_file->told_by, FileSave::Witness::record);
  EXPECT_EQ(web.saved_to_file->when, noon);
  EXPECT_TRUE(named(inventory, "db").dormant());
  EXPECT_EQ(inventory.hosts[0].machines[2].state, State::running);
}

TEST(Lineage, memory_that_was_thrown_away_is_forgotten_and_later_memory_is_not) {
  Images images;
  auto web = machine("web", images.qcow2("web.qcow2"));
  web.state = State::saved;
  const auto with = [&](FileSave::Witness witness, std::optional<Time> when, const ChainOptions& options) {
    web.saved_to_file = FileSave{witness, when};
    return loaded(one_host({web}), options).hosts[0].machines[0];
  };
  for (const auto witness : {FileSave::Witness::libvirt, FileSave::Witness::log}) {
    const Machine forgotten = with(witness, noon, recorded(std::nullopt, noon));
    EXPECT_TRUE(forgotten.dormant()) << to_string(forgotten.state);
    EXPECT_FALSE(with(witness, noon + Seconds(1), recorded(std::nullopt, noon)).dormant());
    EXPECT_FALSE(with(witness, std::nullopt, recorded(std::nullopt, noon)).dormant()) << "nobody knows when it was saved";
    EXPECT_FALSE(with(witness, noon, recorded(noon + Seconds(1), noon)).dormant());
    EXPECT_TRUE(with(witness, noon, recorded(noon, noon)).dormant());
    EXPECT_FALSE(with(witness, noon, {}).dormant());
  }
  web.managed_save = true;
  web.saved_to_file.reset();
  EXPECT_EQ(loaded(one_host({web}), recorded(std::nullopt, noon)).hosts[0].machines[0].state, State::saved);
}

TEST(Lineage, disks_of_another_computer_are_not_looked_at) {
  Images images;
  auto far = machine("far", images.qcow2("one.qcow2"));
  far.local = false;
  const auto inventory = loaded(one_host({far, machine("near", images / "one.qcow2")}));
  EXPECT_TRUE(named(inventory, "far").disks[0].layers.empty());
  EXPECT_THAT(named(inventory, "near").shared_with, IsEmpty());
}

TEST(OpenDiskChain, refuses_what_the_model_forbids) {
  Images images;
  auto web = machine("web", images.raw("a.img"), "raw");
  EXPECT_TRUE(open_disk_chain(web, web.disks[0], {}));
  web.disks[0].format.reset();
  EXPECT_EQ(open_disk_chain(web, web.disks[0], {}).error().code, Errc::refused);
  web.disks[0].format = "raw";
  web.disks[0].problem = "a block job is active";
  EXPECT_THAT(open_disk_chain(web, web.disks[0], {}).error().message, HasSubstr("disk vda of web: a block job"));
}

}  // namespace
}  // namespace vmpatch::inventory
