#include <gtest/gtest.h>

#include "vmpatch/core/format.hpp"
#include "vmpatch/fleet/refresh.hpp"
#include "vmpatch/repository/boot_loaders.hpp"

namespace vmpatch::fleet {
namespace {

Refreshed with(RefreshOutcome outcome) { return {{}, outcome, {}, {}, {}, {}, Seconds(0)}; }

Refreshed failed(Errc code) {
  Refreshed one = with(RefreshOutcome::failed);
  one.error = make_error(code, "x");
  return one;
}

Refreshed updated(std::vector<repository::Kept> kept, repository::Mode mode = repository::Mode::security) {
  Refreshed one = with(RefreshOutcome::updated);
  one.update.emplace();
  one.update->update.mode = mode;
  one.update->update.kept = std::move(kept);
  return one;
}

TEST(Refresh, only_machines_that_are_current_or_passed_over_are_success) {
  EXPECT_EQ(exit_code_of({}), 0);
  EXPECT_EQ(exit_code_of({with(RefreshOutcome::current), with(RefreshOutcome::passed_over), updated({})}), 0);
  EXPECT_EQ(exit_code_of({with(RefreshOutcome::current), with(RefreshOutcome::not_begun)}), 1);
  EXPECT_EQ(exit_code_of({with(RefreshOutcome::current), with(RefreshOutcome::planned)}), 3);
}

TEST(Refresh, the_gravest_failure_is_the_exit_code) {
  EXPECT_EQ(exit_code_of({with(RefreshOutcome::planned), failed(Errc::failed)}), 1);
  EXPECT_EQ(exit_code_of({failed(Errc::failed), failed(Errc::refused)}), 4);
  EXPECT_EQ(exit_code_of({failed(Errc::refused), failed(Errc::untrusted), failed(Errc::busy)}), 5);
  EXPECT_EQ(exit_code_of({failed(Errc::untrusted), failed(Errc::recovery_needed)}), 7);
}

TEST(Refresh, what_is_kept_back_is_not_current_but_for_phases_and_what_the_mode_does_not_ask_for) {
  EXPECT_EQ(exit_code_of({updated({{"a", "amd64", "1", "2", "held", true}})}), 3);
  EXPECT_EQ(exit_code_of({updated({{"a", "amd64", "1", "2", "held", false}})}), 0);
  EXPECT_EQ(exit_code_of({updated({{"a", "amd64", "1", "2", "held", false}}, repository::Mode::all)}), 3);
  EXPECT_EQ(exit_code_of({updated({{"a", "amd64", "1", "2", "phased", true}}, repository::Mode::all)}), 0);
}

policy::Policy groups() {
  policy::Policy policy;
  policy::Group web;
  web.name = "web";
  web.names = {"web*"};
  web.refresh.mode = repository::Mode::all;
  web.refresh.exclude = {"linux-*"};
  web.refresh.halt_after = 2;
  policy::Group lab;
  lab.name = "lab";
  lab.names = {"*"};
  lab.refresh.never = true;
  policy.groups = {web, lab};
  return policy;
}

inventory::Machine named(const char* name) {
  inventory::Machine machine;
  machine.name = name;
  return machine;
}

TEST(RefreshRules, are_those_of_the_first_group_that_matches) {
  const auto policy = groups();
  const RefreshRules rules(policy, {});
  const auto web = rules.of(named("web01"));
  EXPECT_EQ(web.group, "web");
  EXPECT_EQ(web.rules.mode, repository::Mode::all);
  EXPECT_EQ(web.rules.exclude, std::vector<std::string>{"linux-*"});
  EXPECT_EQ(web.halt_after, 2U);
  EXPECT_FALSE(web.never);
  EXPECT_TRUE(rules.of(named("db")).never);
  auto bare = named("web01");
  bare.bare = true;
  EXPECT_EQ(rules.of(bare).group, "");
  EXPECT_EQ(rules.of(bare).rules.mode, repository::Mode::security);
}

TEST(RefreshRules, a_mode_that_is_asked_for_goes_before_the_group_and_exclusions_are_added) {
  const auto policy = groups();
  const RefreshRules rules(policy, {repository::Mode::security, {"vim"}});
  EXPECT_EQ(rules.of(named("web01")).rules.mode, repository::Mode::security);
  EXPECT_EQ(rules.of(named("web01")).rules.exclude, (std::vector<std::string>{"linux-*", "vim"}));
  EXPECT_TRUE(rules.of(named("db")).never) << "who names the machine lifts that, not who asks for a mode";
}

TEST(BootLoaders, those_whose_scripts_write_boot_sectors_are_known_and_their_like_are_not) {
  for (const auto* name : {"grub-pc", "grub-efi-amd64", "grub-efi-amd64-signed", "grub-efi-arm64-signed", "grub-cloud-amd64", "shim-signed", "systemd-boot",
                           "flash-kernel", "raspi-firmware"}) {
    EXPECT_TRUE(repository::is_boot_loader(name)) << name;
  }
  for (const auto* name : {"grub-common", "grub2-common", "grub-pc-bin", "linux-image-amd64", "systemd", "shim-unsigned"}) EXPECT_FALSE(repository::is_boot_loader(name)) << name;
}

}  // namespace
}  // namespace vmpatch::fleet
