// Files beside an image: whose first bytes are believed, and what is opened because of them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "unit/inventory/images.hpp"
#include "vmpatch/core/unique_fd.hpp"

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

ChainOptions not_clones(std::vector<fs::path> files) {
  ChainOptions options;
  options.not_clones = std::move(files);
  return options;
}

ChainOptions allowing(const fs::path& folder) {
  ChainOptions options;
  options.allowed_dirs = {folder};
  return options;
}

/// Whoever opens a file of a folder is seen, whatever it is and however it is done.
class Watch {
 public:
  explicit Watch(const fs::path& folder) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (::inotify_add_watch(fd_.get(), folder.c_str(), IN_OPEN) < 0) throw std::runtime_error("inotify_add_watch");
  }
  /// Since the last question.
  bool was_opened() {
    std::string events(65536, '\0');
    return ::read(fd_.get(), events.data(), events.size()) > 0;
  }

 private:
  UniqueFd fd_;
};

TEST(Neighbours, an_overlay_whose_format_nobody_says_may_be_a_child) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  for (const char* name : {"clone.img", "clone", "clone.snap1"}) {
    const auto clone = images.overlay(name, base);
    const auto inventory = loaded(one_host({machine("tmpl", base)}));
    const Machine& tmpl = named(inventory, "tmpl");
    EXPECT_THAT(tmpl.possible_children, ElementsAre(clone.string()));
    EXPECT_THAT(tmpl.children, IsEmpty());
    EXPECT_FALSE(tmpl.is_template);
    EXPECT_THAT(write_obstacles(tmpl), ElementsAre(AllOf(HasSubstr("may be the backing file of " + clone.string()), HasSubstr("--not-a-clone"))));
    EXPECT_THAT(write_obstacles(named(loaded(one_host({machine("tmpl", base)}), not_clones({clone})), "tmpl")), IsEmpty());
    fs::remove(clone);
  }
}

TEST(Neighbours, an_operators_word_counts_for_a_file_that_is_called_qcow2_but_not_for_a_machine) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto clone = images.overlay("clone.qcow2", base);
  EXPECT_THAT(named(loaded(one_host({machine("tmpl", base)})), "tmpl").children, ElementsAre(clone.string()));
  EXPECT_THAT(named(loaded(one_host({machine("tmpl", base)}), not_clones({clone})), "tmpl").children, IsEmpty());
  EXPECT_THAT(named(loaded(one_host({machine("tmpl", base), machine("web", clone)}), not_clones({clone})), "tmpl").children, ElementsAre("web"));
}

TEST(Neighbours, a_disk_that_is_said_to_be_raw_is_never_believed) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto evil = images.overlay("evil.img", base);
  images.overlay("evil.raw", base);
  auto left = one_host({machine("victim", base)});
  left.hosts[0].left.emplace();
  left.hosts[0].left->machines.push_back({LeftMachine::Kind::defined, machine("evil", evil, "raw"), "/etc/evil.xml"});
  auto volumes = one_host({machine("victim", base), machine("evil", evil, "raw")});
  volumes.hosts[0].volumes = {{"test:///unit", "pool", evil, 1}};
  Inventory bare = one_host({machine("victim", base)});
  bare.hosts.push_back(make_bare_source({{evil, image::Format::raw}})->list());
  const auto above = images.overlay("above.qcow2", evil, "raw");
  for (Inventory* inventory : {&left, &volumes, &bare}) {
    load_lineage(*inventory, {});
    EXPECT_THAT(named(*inventory, "victim").possible_children, IsEmpty());
    EXPECT_THAT(named(*inventory, "victim").children, IsEmpty());
  }
  const auto below = loaded(one_host({machine("victim", base), machine("above", above)}));
  EXPECT_THAT(write_obstacles(named(below, "victim")), IsEmpty()) << "the raw base of an overlay";
}

TEST(Neighbours, a_folders_rule_for_names_makes_no_img_file_raw_for_its_base) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto clone = images.overlay("clone.img", base);
  Inventory inventory;
  inventory.hosts.push_back(make_folder_source({images.path()})->list());
  load_lineage(inventory, {});
  EXPECT_THAT(named(inventory, base.string()).possible_children, ElementsAre(clone.string()));
}

TEST(Neighbours, a_chain_is_followed_through_allowed_folders_alone) {
  Images images;
  Images elsewhere;
  const auto base = images.qcow2("base.qcow2");
  const auto middle = elsewhere.overlay("middle.qcow2", base);
  const auto top = images.overlay("top.qcow2", middle);
  EXPECT_THAT(named(loaded(one_host({machine("tmpl", base)})), "tmpl").children, IsEmpty());
  EXPECT_THAT(named(loaded(one_host({machine("tmpl", base)}), allowing(elsewhere.path())), "tmpl").children, ElementsAre(top.string()));
}

TEST(Neighbours, a_machine_whose_chain_goes_on_out_of_reach_may_stand_on_any_other) {
  Images images;
  Images elsewhere;
  const auto base = images.qcow2("base.qcow2");
  const auto middle = elsewhere.overlay("middle.qcow2", base);
  const auto top = images.overlay("top.qcow2", middle);
  const auto both = [&] { return one_host({machine("tmpl", base), machine("web", top)}); };
  EXPECT_THAT(write_obstacles(named(loaded(both()), "tmpl")),
              ElementsAre(AllOf(HasSubstr("disk vda of web stands on " + middle.string()), HasSubstr("--allow-backing"), HasSubstr("--not-a-clone " + top.string()))));
  EXPECT_THAT(write_obstacles(named(loaded(both(), not_clones({top})), "tmpl")), IsEmpty());
  EXPECT_THAT(named(loaded(both(), allowing(elsewhere.path())), "tmpl").children, ElementsAre("web"));
  fs::remove(top);
  images.overlay("top.qcow2", elsewhere.raw("disk"), "raw");
  EXPECT_THAT(write_obstacles(named(loaded(both()), "tmpl")), IsEmpty()) << "a raw disk stands on nothing";
}

TEST(Neighbours, nothing_outside_of_allowed_folders_is_opened) {
  Images images;
  Images elsewhere;
  const auto base = images.qcow2("base.qcow2");
  const auto bait = elsewhere.overlay("bait.qcow2", base);
  const auto json = "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"" + bait.string() + "\"}}";
  ASSERT_EQ(::mkfifo((elsewhere / "pipe").c_str(), 0600), 0);
  fs::create_directory(images / "aside");
  fs::create_directory_symlink(elsewhere.path(), images / "aside" / "link");
  for (const auto& name : {bait.string(), "file:" + bait.string(), json, (images / "aside" / "link" / "bait.qcow2").string(), (elsewhere / "pipe").string()}) {
    for (const char* file : {"evil.qcow2", "evil.img", "evil", "known.qcow2"}) {
      fs::remove(images / file);
      test::qemu_img({"create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "qcow2", (images / file).string(), "1M"});
    }
    Watch watch(elsewhere.path());
    auto inventory = one_host({machine("victim", base), machine("known", images / "known.qcow2")});
    for (const auto& entry : fs::directory_iterator(images.path())) inventory.hosts[0].volumes.push_back({"", "pool", entry.path(), 0});
    inventory.hosts[0].pool_dirs = {images.path()};
    inventory.hosts.push_back(make_folder_source({images.path()})->list());
    load_lineage(inventory, {});
    EXPECT_FALSE(watch.was_opened()) << name;
    EXPECT_GE(::close(::open(bait.c_str(), O_RDONLY | O_CLOEXEC)), 0);
    EXPECT_TRUE(watch.was_opened()) << "the watch sees nothing";
  }
}

}  // namespace
}  // namespace vmpatch::inventory
