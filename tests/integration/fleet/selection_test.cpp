// The choice of machines, on the test driver and on files, without a ledger.
#include <gmock/gmock.h>

#include <optional>

#include "integration/inventory/test_node.hpp"
#include "unit/inventory/images.hpp"
#include "vmpatch/fleet/selection.hpp"

namespace vmpatch::fleet {
namespace {

using test::test_node;
using testing::HasSubstr;

class Selecting : public testing::Test {
 protected:
  /// As it is now.
  const Invocation& invocation() {
    Paths paths;
    paths.state = images_.path() / "state";
    invocation_.emplace(Invocation{paths, connect_, clock_, log_});
    return *invocation_;
  }

  test::Images images_;
  std::vector<std::string> connect_;
  SystemClock clock_;
  NullLog log_;
  std::optional<Invocation> invocation_;
};

TEST_F(Selecting, finds_by_name_and_reads_again) {
  const auto image = images_.qcow2("web.qcow2");
  connect_ = {test_node(images_, "a.xml", "web01", image)};
  MachineOptions options;
  options.domains = {"web01"};
  const auto selection = select_machines(invocation(), options);
  ASSERT_TRUE(selection) << selection.error().message;
  ASSERT_EQ(selection->machines.size(), 1U);
  images_.overlay("late.qcow2", image);
  const auto again = selection->reread(selection->machines[0]);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->children.size(), 1U);
}

TEST_F(Selecting, refuses_a_name_on_two_hosts_and_an_unknown_one) {
  connect_ = {test_node(images_, "a.xml", "web01", images_.qcow2("a.qcow2")), test_node(images_, "b.xml", "web01", images_.qcow2("b.qcow2"))};
  MachineOptions options;
  options.domains = {"web01"};
  EXPECT_EQ(select_machines(invocation(), options).error().code, Errc::refused);
  options.domains = {"nobody"};
  const auto unknown = select_machines(invocation(), options);
  EXPECT_EQ(unknown.error().code, Errc::not_found);
  EXPECT_THAT(unknown.error().message, HasSubstr(connect_[1]));
}

TEST_F(Selecting, of_images) {
  const auto image = images_.qcow2("web.qcow2");
  connect_ = {test_node(images_, "a.xml", "web01", image)};
  MachineOptions options;
  EXPECT_EQ(select_machines(invocation(), options).error().code, Errc::usage);
  options.images = {image, image};
  EXPECT_EQ(select_machines(invocation(), options).error().code, Errc::usage);
  options.format = "qcow2";
  const auto selection = select_machines(invocation(), options);
  ASSERT_TRUE(selection) << selection.error().message;
  ASSERT_EQ(selection->machines.size(), 1U);
  EXPECT_THAT(inventory::write_obstacles(selection->machines[0]), testing::ElementsAre(HasSubstr("-d")));
  options.images = {images_ / "none.qcow2"};
  EXPECT_EQ(select_machines(invocation(), options).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch::fleet
