// The verb, on the test driver and on files, without a ledger.
#include <CLI/CLI.hpp>
#include <gmock/gmock.h>

#include "cli/verbs.hpp"
#include "integration/inventory/test_node.hpp"
#include "unit/inventory/images.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

using test::test_node;
using testing::HasSubstr;
using testing::Not;

class InventoryVerb : public testing::Test {
 protected:
  Context context() {
    fleet::Paths paths;
    paths.state = images_.path() / "state";
    return {{paths, options_.connect, clock_, log_}, options_};
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
  options_.connect = {test_node(images_, "a.xml", "web01", images_.qcow2("web.qcow2")), "test:///none.xml"};
  const auto code = run({});
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 1);
  EXPECT_THAT(output_, HasSubstr("NAME"));
  EXPECT_THAT(output_, HasSubstr("vda qcow2 1 MiB"));
  EXPECT_LT(output_.find("web01"), output_.find("test:///none.xml: not reachable: "));
}

TEST_F(InventoryVerb, the_same_uri_twice_is_listed_once_and_exit_code_is_0) {
  const auto uri = test_node(images_, "a.xml", "web01", images_.qcow2("web.qcow2"));
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
  options_.connect = {test_node(images_, "a.xml", "web01", images_.qcow2("web.qcow2")), test_node(images_, "b.xml", "db01", images_.qcow2("db.qcow2"))};
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

}  // namespace
}  // namespace vmpatch::cli
