#include "engine/unit_state.hpp"

#include <gtest/gtest.h>

#include "engine/unit_starters.hpp"
#include "support/fake_guest.hpp"

namespace vmpatch::engine {
namespace {

using State = recipe::step::UnitState;

class UnitStateTest : public testing::Test {
 protected:
  UnitStateTest() {
    facts.init = "systemd";
    facts.identity.machine_id = guest::MachineId::set;
    guest.add_link("/lib", "usr/lib");
    guest.add_file("/usr/lib/systemd/system/app.service", "[Service]\nExecStart=/bin/app\n[Install]\nWantedBy=multi-user.target\n");
  }
  std::string why_not(const std::string& name, State state) {
    const auto unit = read_unit(guest, facts, name);
    if (!unit) return "error: " + unit.error().message;
    return not_in_state(*unit, state).value_or("it is");
  }
  guest::FakeGuest guest;
  guest::Facts facts;
};

TEST_F(UnitStateTest, a_unit_that_nothing_wants_is_disabled) {
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  EXPECT_EQ(why_not("app.service", State::unmasked), "it is");
  EXPECT_EQ(why_not("app.service", State::enabled), "no link of its administrator wants it");
  EXPECT_EQ(why_not("app.service", State::masked), "it has its unit file");
}

TEST_F(UnitStateTest, links_of_the_administrator_enable_it) {
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app.service", "/lib/systemd/system/app.service");
  EXPECT_EQ(why_not("app.service", State::enabled), "it is");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /etc/systemd/system/multi-user.target.wants/app.service");
}

TEST_F(UnitStateTest, an_alias_counts_and_what_wants_the_alias_too) {
  guest.add_link("/usr/lib/systemd/system/other.service", "app.service");
  guest.add_link("/usr/lib/systemd/system/third.service", "/usr/lib/systemd/system/other.service");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  guest.add_link("/usr/lib/systemd/system/sysinit.target.wants/third.service", "../third.service");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /usr/lib/systemd/system/sysinit.target.wants/third.service; mask it to be sure");
  guest.add_link("/etc/systemd/system/mine.service", "/lib/systemd/system/app.service");
  EXPECT_EQ(why_not("app.service", State::enabled), "it is");
}

TEST_F(UnitStateTest, a_link_of_the_distribution_starts_it_unless_it_is_taken_away) {
  guest.add_link("/usr/lib/systemd/system/multi-user.target.wants/app.service", "../app.service");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /usr/lib/systemd/system/multi-user.target.wants/app.service; mask it to be sure");
  EXPECT_EQ(why_not("app.service", State::enabled), "no link of its administrator wants it");
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app.service", "/dev/null");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, the_first_unit_file_decides_whether_it_is_masked) {
  guest.add_link("/usr/lib/systemd/system/multi-user.target.wants/app.service", "../app.service");
  guest.add_link("/etc/systemd/system/app.service", "/dev/null");
  EXPECT_EQ(why_not("app.service", State::masked), "it is");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  EXPECT_EQ(why_not("app.service", State::unmasked), "it is masked");
  guest.add_file("/etc/systemd/system.control/app.service", "[Service]\nExecStart=/bin/other\n");
  EXPECT_EQ(why_not("app.service", State::masked), "it has its unit file");
  EXPECT_NE(why_not("app.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, whatever_systemd_takes_for_a_mask_is_one) {
  guest.add_file("/etc/systemd/system/app.service", "");
  EXPECT_EQ(why_not("app.service", State::masked), "it is");
  guest.add_link("/etc/systemd/system/one.service", "../../../dev/null");
  EXPECT_EQ(why_not("one.service", State::masked), "it is");
  guest.add_file("/etc/empty", "");
  guest.add_link("/etc/systemd/system/two.service", "/etc/empty");
  EXPECT_EQ(why_not("two.service", State::masked), "it is");
  guest.add_link("/etc/systemd/system/three.service", "/etc/hosts");
  guest.add_file("/etc/hosts", "[Unit]\n");
  EXPECT_EQ(why_not("three.service", State::unmasked), "it is");
}

TEST_F(UnitStateTest, a_masked_unit_does_not_start_though_something_wants_it) {
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app.service", "/lib/systemd/system/app.service");
  guest.add_link("/etc/systemd/system/app.service", "/dev/null");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, a_mask_counts_only_where_systemd_starts_the_machine) {
  guest.add_link("/etc/systemd/system/app.service", "/dev/null");
  guest.add_link("/etc/rc2.d/S01app", "../init.d/app");
  for (const char* init : {"sysvinit", "openrc", "runit"}) {
    facts.init = init;
    EXPECT_EQ(why_not("app.service", State::masked), std::string(init) + " starts this machine, and only systemd's services can be masked");
    EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /etc/rc2.d/S01app");
  }
  EXPECT_EQ(why_not("app.service", State::enabled), "runit starts this machine, and only systemd's services can be enabled");
}

TEST_F(UnitStateTest, a_link_to_a_unit_that_is_gone_enables_nothing) {
  guest.add_link("/etc/systemd/system/multi-user.target.wants/gone.service", "/lib/systemd/system/gone.service");
  EXPECT_EQ(why_not("gone.service", State::enabled), "it has no unit file");
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app@one.service", "/lib/systemd/system/app@.service");
  EXPECT_EQ(why_not("app@one.service", State::enabled), "it has no unit file");
  guest.add_file("/usr/lib/systemd/system/app@.service", "[Service]\n");
  EXPECT_EQ(why_not("app@one.service", State::enabled), "it is");
}

TEST_F(UnitStateTest, asked_for_by_an_alias_it_is_the_unit_that_counts) {
  guest.add_link("/etc/systemd/system/web.service", "/lib/systemd/system/app.service");
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app.service", "/lib/systemd/system/app.service");
  EXPECT_NE(why_not("web.service", State::disabled).find("/etc/systemd/system/multi-user.target.wants/app.service"), std::string::npos);
  EXPECT_EQ(why_not("web.service", State::enabled), "it is");
  guest.add_link("/etc/systemd/system/loop.service", "other.service");
  guest.add_link("/etc/systemd/system/other.service", "loop.service");
  EXPECT_NE(why_not("loop.service", State::masked), "it is");
}

TEST_F(UnitStateTest, a_link_out_of_the_unit_folders_is_a_unit_of_its_own_and_an_overridden_alias_is_none) {
  guest.add_file("/opt/v/other.service", "[Service]\n");
  guest.add_link("/etc/systemd/system/foo.service", "/opt/v/other.service");
  guest.add_link("/etc/systemd/system/multi-user.target.wants/foo.service", "/opt/v/other.service");
  EXPECT_EQ(why_not("foo.service", State::enabled), "it is");
  guest.add_link("/usr/lib/systemd/system/web.service", "app.service");
  guest.add_link("/usr/lib/systemd/system/sysinit.target.wants/web.service", "../web.service");
  guest.add_file("/etc/systemd/system/web.service", "[Service]\n");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, a_socket_of_an_alias_starts_it) {
  guest.add_link("/usr/lib/systemd/system/web.service", "app.service");
  guest.add_file("/usr/lib/systemd/system/web.socket", "[Socket]\n");
  guest.add_link("/etc/systemd/system/sockets.target.wants/web.socket", "/lib/systemd/system/web.socket");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by web.socket; mask it to be sure");
}

TEST_F(UnitStateTest, a_script_of_sysv_counts_under_every_name_that_systemd_gives_it) {
  guest.add_link("/etc/rc2.d/S01tomcat.sh", "../init.d/tomcat.sh");
  EXPECT_EQ(why_not("tomcat.service", State::disabled), "it is started by /etc/rc2.d/S01tomcat.sh");
  guest.add_file("/etc/init.d/oldnet", "#!/bin/sh\n### BEGIN INIT INFO\n# provides:  oldnet\ttelnetd\n### END INIT INFO\n");
  guest.add_link("/etc/rc2.d/S02oldnet", "/etc/init.d/oldnet");
  EXPECT_EQ(why_not("telnetd.service", State::disabled), "it is started by /etc/rc2.d/S02oldnet");
  guest.add_file("/usr/lib/systemd/system/oldnet.service", "[Service]\n");
  EXPECT_EQ(why_not("telnetd.service", State::disabled), "it is");
}

TEST(Generators, remarks_and_folders_are_no_names) {
  EXPECT_TRUE(names_unit(std::string_view("\x7f" "ELF\0app.service\0", 17), "app.service"));
  EXPECT_TRUE(names_unit("#!/bin/sh\nln -s /lib/app.service $1\n", "app.service"));
  EXPECT_FALSE(names_unit("#!/bin/sh\n# starts app.service\nmkdir app.service.wants app.service.d\n", "app.service"));
}

TEST_F(UnitStateTest, what_systemctl_cannot_disable_is_out_of_reach) {
  const auto reach = [&](const char* name, State state) { return is_out_of_reach(*read_unit(guest, facts, name), state); };
  guest.add_link("/etc/systemd/system/multi-user.target.wants/app.service", "/lib/systemd/system/app.service");
  EXPECT_FALSE(reach("app.service", State::disabled));
  guest.add_file("/usr/lib/systemd/system/app.socket", "[Socket]\n");
  guest.add_link("/etc/systemd/system/sockets.target.wants/app.socket", "/lib/systemd/system/app.socket");
  EXPECT_FALSE(reach("app.service", State::disabled)) << "another step may disable the socket";
  guest.add_link("/usr/lib/systemd/system/sysinit.target.wants/app.service", "../app.service");
  EXPECT_TRUE(reach("app.service", State::disabled));
  EXPECT_FALSE(reach("app.service", State::masked));
  facts.init = "openrc";
  EXPECT_TRUE(reach("app.service", State::masked));
}

TEST_F(UnitStateTest, start_links_of_sysv_count_where_no_unit_takes_their_place) {
  guest.add_link("/etc/rc2.d/S01old", "../init.d/old");
  guest.add_link("/etc/rc2.d/K01app", "../init.d/app");
  guest.add_link("/etc/rc2.d/S01app", "../init.d/app");
  EXPECT_EQ(why_not("old.service", State::disabled), "it is started by /etc/rc2.d/S01old");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  EXPECT_EQ(why_not("ld.service", State::disabled), "it is");
  facts.init = "sysvinit";
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /etc/rc2.d/S01app");
  facts.init = "openrc";
  guest.add_link("/etc/runlevels/default/app", "/etc/init.d/app");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by /etc/rc2.d/S01app");
  guest.add_link("/etc/runlevels/default/web", "/etc/init.d/web");
  EXPECT_EQ(why_not("web.service", State::disabled), "it is started by /etc/runlevels/default/web");
  facts.init = "runit";
  EXPECT_NE(why_not("new.service", State::disabled).find("it may be started by the init system runit"), std::string::npos);
}

TEST_F(UnitStateTest, an_enabled_socket_timer_or_path_of_its_name_starts_it) {
  guest.add_file("/usr/lib/systemd/system/app.socket", "[Socket]\n");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  guest.add_link("/etc/systemd/system/sockets.target.wants/app.socket", "/lib/systemd/system/app.socket");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is started by app.socket; mask it to be sure");
  guest.add_link("/etc/systemd/system/app.socket", "/dev/null");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, a_generator_that_names_it_is_unknown) {
  guest.add_file("/usr/lib/systemd/system-generators/app-generator", std::string("\x7f" "ELF\0app@.service\0", 18), 0755);
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  EXPECT_EQ(why_not("app@one.service", State::disabled),
            "it may be started by /usr/lib/systemd/system-generators/app-generator, which nobody can tell; mask it to be sure");
  guest.add_link("/etc/systemd/system-generators/app-generator", "/dev/null");
  guest.add_file("/dev/null", "");
  EXPECT_EQ(why_not("app@one.service", State::disabled), "it is");
}

TEST_F(UnitStateTest, presets_count_where_the_next_start_is_the_first) {
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  for (const auto id : {guest::MachineId::missing, guest::MachineId::uninitialized}) {
    facts.identity.machine_id = id;
    EXPECT_EQ(why_not("app.service", State::disabled), "it is started by the presets of its first boot, as it has no machine-id; mask it to be sure");
  }
  guest.add_file("/usr/lib/systemd/system/static.service", "[Service]\nExecStart=/bin/app\n");
  EXPECT_EQ(why_not("static.service", State::disabled), "it is");
  guest.add_file("/usr/lib/systemd/system-preset/90-all.preset", "enable *\n");
  guest.add_file("/etc/systemd/system-preset/10-mine.preset", "# none\ndisable app.*\n");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
  facts.identity.machine_id = guest::MachineId::empty;
  guest.add_file("/etc/systemd/system-preset/10-mine.preset", "enable app.service\n");
  EXPECT_EQ(why_not("app.service", State::disabled), "it is");
}

TEST(Presets, the_first_rule_counts) {
  EXPECT_EQ(preset_of({}, "a.service"), "enable");
  EXPECT_EQ(preset_of({"disable b*\n", "disable *\n"}, "a.service"), "disable");
  EXPECT_EQ(preset_of({"enable a.service\n", "disable *\n"}, "a.service"), "enable");
  EXPECT_EQ(preset_of({"; x\n\nenable\nnonsense *\nignore a@.service one\n"}, "a@.service"), "ignore");
}

}  // namespace
}  // namespace vmpatch::engine
