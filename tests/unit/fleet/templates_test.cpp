#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"
#include "vmpatch/fleet/templates.hpp"

namespace vmpatch::fleet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

inventory::Machine machine_on(const char* path) {
  inventory::Machine machine;
  machine.name = "tmpl";
  inventory::Disk disk;
  disk.target = "vda";
  disk.source = path;
  disk.format = "raw";
  machine.disks.push_back(disk);
  return machine;
}

ledger::Run run(const char* id, const char* kind, const char* from, const char* to, std::size_t packages = 0) {
  ledger::Run made;
  made.id = id;
  made.kind = kind;
  made.recipe_id = "r";
  made.state = ledger::RunState::attested;
  made.created = Time(std::chrono::hours(24 * (id[0] - 'a')));
  made.detail = {{"strategy", "publish"},
                 {"versions", Json::array({{{"target", "vda"}, {"from", from}, {"to", to}, {"part", "p"}, {"format", "raw"}, {"id", id}}})},
                 {"report", {{"plan", {{"packages", std::vector<int>(packages)}}}}}};
  return made;
}

std::vector<std::string> states(const std::vector<TemplateVersion>& versions) {
  std::vector<std::string> all;
  for (const auto& version : versions) all.push_back(version.files.at("vda").string() + (version.current ? " current" : ""));
  return all;
}

TEST(Templates, without_a_publication_there_is_one_version) {
  EXPECT_THAT(states(versions_from({}, machine_on("/t"))), ElementsAre("/t current"));
}

TEST(Templates, each_publication_is_a_version_and_a_way_back_is_none) {
  const std::vector<ledger::Run> runs = {run("a", "apply", "/t", "/t.v2"), run("b", "rollback", "/t.v2", "/t"), run("c", "apply", "/t", "/t.v3")};
  EXPECT_THAT(states(versions_from(runs, machine_on("/t.v3"))), ElementsAre("/t", "/t.v2", "/t.v3 current"));
  EXPECT_THAT(states(versions_from(runs, machine_on("/t"))), ElementsAre("/t current", "/t.v2", "/t.v3"));
  EXPECT_THAT(states(versions_from(runs, machine_on("/elsewhere"))), ElementsAre("/t", "/t.v2", "/t.v3"));
}

TEST(Templates, a_run_in_place_or_one_that_was_discarded_is_no_version) {
  auto in_place = run("a", "apply", "/t", "/t.v2");
  in_place.detail["strategy"] = "in-place";
  auto discarded = run("b", "apply", "/t", "/t.v2");
  discarded.state = ledger::RunState::discarded;
  EXPECT_THAT(states(versions_from({in_place, discarded}, machine_on("/t"))), ElementsAre("/t current"));
}

TEST(Templates, clones_are_behind_by_the_packages_and_the_age_of_newer_versions) {
  const std::vector<ledger::Run> runs = {run("b", "apply", "/t", "/t.v2", 3), run("c", "apply", "/t.v2", "/t.v3", 4)};
  const Template one{machine_on("/t.v3"), versions_from(runs, machine_on("/t.v3"))};
  EXPECT_EQ(one.packages_behind(one.versions[0]), 7U);
  EXPECT_EQ(one.packages_behind(one.versions[1]), 4U);
  EXPECT_EQ(one.packages_behind(one.versions[2]), 0U);
  EXPECT_EQ(one.stale_since(one.versions[0]), runs[0].created);
  EXPECT_EQ(one.stale_since(one.versions[2]), std::nullopt);
  const Template demoted{machine_on("/t"), versions_from(runs, machine_on("/t"))};
  EXPECT_EQ(demoted.stale_since(demoted.versions[0]), std::nullopt) << "it is the current one again";
}

TEST(Templates, the_way_back_and_forward_goes_by_versions_however_often_it_was_gone) {
  std::vector<ledger::Run> runs = {run("a", "apply", "/t", "/t.v2"), run("b", "rollback", "/t.v2", "/t"), run("c", "rollback", "/t", "/t.v2")};
  EXPECT_EQ(run_between(runs, machine_on("/t.v2"), true), "c");
  EXPECT_EQ(run_between(runs, machine_on("/t.v2"), false), std::nullopt) << "it has the newest one";
  EXPECT_EQ(run_between(runs, machine_on("/t"), true), std::nullopt);
  EXPECT_EQ(run_between(runs, machine_on("/t"), false), "b");
  EXPECT_EQ(run_between(runs, machine_on("/elsewhere"), false), std::nullopt);
}

TEST(Templates, a_run_that_changed_one_of_two_disks_makes_a_version_of_both) {
  auto machine = machine_on("/t.v2");
  machine.disks.push_back(machine.disks.front());
  machine.disks[1].target = "vdb";
  machine.disks[1].source = "/d.v3";
  auto second = run("c", "apply", "/d", "/d.v3");
  second.detail["versions"][0]["target"] = "vdb";
  second.detail["versions"][0]["format"] = "qcow2";
  const auto versions = versions_from({run("b", "apply", "/t", "/t.v2"), second}, machine);
  ASSERT_EQ(versions.size(), 3U);
  EXPECT_EQ(versions[0].files, (std::map<std::string, fs::path>{{"vda", "/t"}, {"vdb", "/d"}}));
  EXPECT_EQ(versions[1].files, (std::map<std::string, fs::path>{{"vda", "/t.v2"}, {"vdb", "/d"}}));
  EXPECT_EQ(versions[2].files, (std::map<std::string, fs::path>{{"vda", "/t.v2"}, {"vdb", "/d.v3"}}));
  EXPECT_FALSE(versions[1].current);
  EXPECT_TRUE(versions[2].current);
  EXPECT_EQ(versions[2].formats.at("vda"), image::Format::raw);
  EXPECT_EQ(versions[2].formats.at("vdb"), image::Format::qcow2);
  EXPECT_FALSE(versions[2].is_own("vda"));
}

TEST(Templates, only_old_versions_that_vm_patch_made_and_that_nobody_stands_on_may_go) {
  std::vector<ledger::Run> runs;
  for (const auto* id : {"b", "c", "d", "e"}) runs.push_back(run(id, "apply", "/t", (std::string("/t.") + id).c_str()));
  Template one{machine_on("/t.e"), versions_from(runs, machine_on("/t.e"))};
  const auto names = [&](std::size_t keep) {
    std::vector<std::string> found;
    for (const auto* version : prunable(one, keep)) found.push_back(version->files.at("vda").string());
    return found;
  };
  EXPECT_THAT(names(0), ElementsAre("/t.d", "/t.c", "/t.b"));
  EXPECT_THAT(names(1), ElementsAre("/t.c", "/t.b"));
  one.versions[2].clones = {"clone"};
  EXPECT_THAT(names(1), ElementsAre("/t.b"));
  one.versions[1].there = false;
  EXPECT_THAT(names(1), IsEmpty());
}

}  // namespace
}  // namespace vmpatch::fleet
