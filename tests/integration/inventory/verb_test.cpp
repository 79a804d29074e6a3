// The verb and the choice of machines, on the test driver and on files, without a ledger.
#include <CLI/CLI.hpp>
#include <gmock/gmock.h>

#include "cli/common/machines.hpp"
#include "cli/verbs.hpp"
#include "unit/inventory/images.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class InventoryVerb : public testing::Test {
 protected:
  std::string node(const std::string& name, const std::string& machine, const fs::path& image) {
    const auto file = images_ / name;
    const std::string xml = "<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>" + machine +
                            "</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file'><driver type='qcow2'/><source file='" +
                            image.string() + "'/><target dev='vda'/></disk></devices><test:runstate>5</test:runstate></domain></node>";
    if (!write_file_atomic(file, xml)) throw std::runtime_error("cannot write the node file");
    return "test://" + file.string();
  }

  Context context() {
    Paths paths;
    paths.state = images_.path() / "state";
    return {options_, paths, clock_, log_};
  }

  Result<int> run(std::vector<std::string> words) {
    CLI::App app;
    Chosen chosen;
    add_inventory_verb(app, chosen);
    std::reverse(words.begin(), words.end());
    words.emplace_back("inventory");
    app.parse(words);
    Context all = context();
    testing::internal::CaptureStdout();
    auto code = chosen.action(all);
    output_ = testing::internal::GetCapturedStdout();
    return code;
  }

  test::Images images_;
  GlobalOptions options_;
  SystemClock clock_;
  NullLog log_;
  std::string output_;
};

TEST_F(InventoryVerb, table_has_machines_then_failed_hosts) {
  options_.connect = {node("a.xml", "web01", images_.qcow2("web.qcow2")), "test:///none.xml"};
  const auto code = run({});
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 1);
  EXPECT_THAT(output_, HasSubstr("NAME"));
  EXPECT_THAT(output_, HasSubstr("vda qcow2 1 MiB"));
  EXPECT_LT(output_.find("web01"), output_.find("test:///none.xml: not reachable: "));
}

TEST_F(InventoryVerb, the_same_uri_twice_is_listed_once_and_exit_code_is_0) {
  const auto uri = node("a.xml", "web01", images_.qcow2("web.qcow2"));
  options_.connect = {uri, uri};
  options_.json = true;
  const auto code = run({});
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 0);
  const auto json = parse_json(output_, "output");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ((*json)["schema"], "vm-patch/inventory/v1");
  ASSERT_EQ((*json)["machines"].size(), 1U);
  EXPECT_EQ((*json)["machines"][0]["verdict"], nullptr);
  EXPECT_TRUE((*json)["machines"][0]["obstacles"].empty());
}

TEST_F(InventoryVerb, filters_by_name_and_state) {
  options_.connect = {node("a.xml", "web01", images_.qcow2("web.qcow2")), node("b.xml", "db01", images_.qcow2("db.qcow2"))};
  ASSERT_TRUE(run({"-d", "db01"}));
  EXPECT_THAT(output_, Not(HasSubstr("web01")));
  EXPECT_THAT(output_, HasSubstr("db01"));
  ASSERT_TRUE(run({"--state", "running"}));
  EXPECT_THAT(output_, Not(HasSubstr("db01")));
  EXPECT_EQ(run({"-d", "nobody"}).error().code, Errc::not_found);
}

TEST_F(InventoryVerb, folders_are_listed_as_images) {
  options_.connect = {};
  images_.qcow2("loose.qcow2");
  ASSERT_TRUE(run({"--folder", images_.path().string(), "--orphans"}));
  EXPECT_THAT(output_, HasSubstr("loose.qcow2"));
  EXPECT_THAT(output_, HasSubstr("No orphans."));
}

TEST_F(InventoryVerb, select_finds_by_name_and_reads_again) {
  const auto image = images_.qcow2("web.qcow2");
  options_.connect = {node("a.xml", "web01", image)};
  Context all = context();
  MachineOptions options;
  options.domains = {"web01"};
  const auto selection = select_machines(all, options);
  ASSERT_TRUE(selection) << selection.error().message;
  ASSERT_EQ(selection->machines.size(), 1U);
  images_.overlay("late.qcow2", image);
  const auto again = selection->reread(selection->machines[0]);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->children.size(), 1U);
}

TEST_F(InventoryVerb, select_refuses_a_name_on_two_hosts_and_an_unknown_one) {
  options_.connect = {node("a.xml", "web01", images_.qcow2("a.qcow2")), node("b.xml", "web01", images_.qcow2("b.qcow2"))};
  Context all = context();
  MachineOptions options;
  options.domains = {"web01"};
  EXPECT_EQ(select_machines(all, options).error().code, Errc::refused);
  options.domains = {"nobody"};
  const auto unknown = select_machines(all, options);
  EXPECT_EQ(unknown.error().code, Errc::not_found);
  EXPECT_THAT(unknown.error().message, HasSubstr(options_.connect[1]));
}

TEST_F(InventoryVerb, select_of_images) {
  const auto image = images_.qcow2("web.qcow2");
  options_.connect = {node("a.xml", "web01", image)};
  Context all = context();
  MachineOptions options;
  EXPECT_EQ(select_machines(all, options).error().code, Errc::usage);
  options.images = {image, image};
  EXPECT_EQ(select_machines(all, options).error().code, Errc::usage);
  options.format = "qcow2";
  const auto selection = select_machines(all, options);
  ASSERT_TRUE(selection) << selection.error().message;
  ASSERT_EQ(selection->machines.size(), 1U);
  EXPECT_THAT(inventory::write_obstacles(selection->machines[0]), testing::ElementsAre(HasSubstr("-d")));
  options.images = {images_ / "none.qcow2"};
  EXPECT_EQ(select_machines(all, options).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch::cli
