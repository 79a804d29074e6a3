#include <gmock/gmock.h>
#include <unistd.h>

#include "unit/inventory/images.hpp"

namespace vmpatch::inventory {
namespace {

using test::Images;
using testing::HasSubstr;

TEST(BareSource, gives_one_machine_an_image_with_a_stable_uuid) {
  Images images;
  const auto path = images.raw("a.img");
  const auto source = make_bare_source({{path, image::Format::raw}, {images.path() / "." / "a.img", image::Format::raw}});
  const auto host = source->list();
  ASSERT_EQ(host.machines.size(), 1U);
  EXPECT_EQ(host.machines[0].uuid, named_uuid("image:" + path.string()));
  EXPECT_EQ(host.machines[0].name, path.string());
  EXPECT_TRUE(host.machines[0].bare);
  EXPECT_EQ(host.machines[0].disks.at(0).target, "image");
  EXPECT_EQ(host.machines[0].disks[0].format, "raw");
}

TEST(BareSource, missing_image_is_the_hosts_problem_and_others_stay) {
  Images images;
  const auto source = make_bare_source({{images / "none.img", image::Format::raw}, {images.raw("a.img"), image::Format::raw}});
  const auto host = source->list();
  EXPECT_EQ(host.machines.size(), 1U);
  EXPECT_THAT(host.problem, HasSubstr("none.img"));
}

TEST(BareSource, find_knows_the_path_and_nothing_else) {
  Images images;
  const auto path = images.raw("a.img");
  const auto source = make_bare_source({{path, image::Format::raw}});
  EXPECT_TRUE(source->find(path.string()));
  EXPECT_EQ(source->find((images / "b.img").string()).error().code, Errc::not_found);
}

TEST(FolderSource, takes_the_format_from_the_name_and_follows_no_link) {
  Images images;
  fs::create_directory(images / "sub");
  images.qcow2("sub/a.qcow2");
  images.raw("b.img");
  images.raw("c.raw");
  images.raw("notes.txt");
  fs::create_symlink(images / "b.img", images / "d.img");
  fs::create_directory_symlink("/", images / "root");
  const auto host = make_folder_source({images.path()})->list();
  ASSERT_EQ(host.machines.size(), 3U) << host.problem;
  EXPECT_EQ(host.machines[0].disks[0].format, "raw");
  EXPECT_EQ(host.machines[2].disks[0].format, "qcow2");
}

TEST(FolderSource, a_state_directory_of_vm_patch_is_passed_over) {
  Images images;
  images.raw("machine.raw");
  fs::create_directories(images / "state/undo");
  std::ofstream(images / "state/ledger.sqlite") << "";
  images.raw("state/undo/vda.raw");
  const auto host = inventory::make_folder_source({images.path()})->list();
  ASSERT_EQ(host.machines.size(), 1U);
  EXPECT_THAT(host.machines[0].name, testing::EndsWith("machine.raw"));
}

TEST(FolderSource, what_is_passed_over_is_told) {
  Images images;
  images.raw("b.img");
  fs::create_symlink(images / "b.img", images / "linked.img");
  fs::create_directories(images / "state");
  std::ofstream(images / "state/ledger.sqlite") << "";
  fs::create_directories(images / "closed");
  images.raw("closed/c.img");
  fs::permissions(images.path(), fs::perms(0755));
  fs::permissions(images / "closed", fs::perms(0));
  const bool is_root = ::geteuid() == 0;  // whom no mode keeps out
  ASSERT_TRUE(!is_root || ::seteuid(65534) == 0);
  const auto host = make_folder_source({images.path()})->list();
  ASSERT_TRUE(!is_root || ::seteuid(0) == 0);
  fs::permissions(images / "closed", fs::perms(0755));
  EXPECT_EQ(host.machines.size(), 1U) << host.problem;
  EXPECT_THAT(host.notes, testing::UnorderedElementsAre(HasSubstr("linked.img: a symbolic link"), HasSubstr("/state: a state directory")));
  EXPECT_THAT(host.gaps, testing::ElementsAre(HasSubstr("/closed: this folder may not be read")));
  EXPECT_FALSE(Inventory{{host}}.complete());
}

TEST(FolderSource, folder_without_an_image_is_a_problem_that_names_it) {
  Images images;
  fs::create_directory(images / "empty");
  images.raw("full.img");
  const auto host = make_folder_source({images.path(), images / "empty"})->list();
  EXPECT_EQ(host.machines.size(), 1U);
  EXPECT_THAT(host.problem, HasSubstr("/empty: there is no image in it"));
}

TEST(FolderSource, missing_folder_is_a_problem_beside_the_others) {
  Images images;
  images.raw("b.img");
  const auto host = make_folder_source({images / "none", images.path()})->list();
  EXPECT_EQ(host.machines.size(), 1U);
  EXPECT_THAT(host.problem, HasSubstr("none"));
}

}  // namespace
}  // namespace vmpatch::inventory
