#include "guest/packages.hpp"

#include <gtest/gtest.h>

#include "guest/rpm_database.hpp"
#include "memory_guest.hpp"

namespace vmpatch::guest {
namespace {

Facts packages_of(MemoryGuest& guest) {
  Facts facts;
  const auto read = read_packages(guest, facts);
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return facts;
}

std::string error_of(MemoryGuest& guest) {
  Facts facts;
  const auto read = read_packages(guest, facts);
  EXPECT_FALSE(read.has_value());
  return read ? std::string() : read.error().message;
}

TEST(ReadPackages, dpkg_marks_come_from_apt) {
  MemoryGuest guest;
  guest.files["/var/lib/dpkg/status"] = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n";
  guest.files["/var/lib/apt/extended_states"] = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n";
  const Facts facts = packages_of(guest);
  EXPECT_EQ(facts.package_manager, "dpkg");
  EXPECT_TRUE(facts.packages.front().automatic);
}

TEST(ReadPackages, apk_is_read_from_both_places) {
  for (const char* path : {"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}) {
    MemoryGuest guest;
    guest.files[path] = "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\nf:f\n\n";
    const Facts facts = packages_of(guest);
    EXPECT_EQ(facts.package_manager, "apk");
    ASSERT_EQ(facts.packages.size(), 1U);
    EXPECT_NE(facts.find("musl"), nullptr);
    EXPECT_EQ(facts.half_configured, std::vector<std::string>{"musl: broken files"});
  }
}

TEST(ReadPackages, pacman_folder_without_desc_is_half_configured) {
  MemoryGuest guest;
  guest.files["/var/lib/pacman/local/ALPM_DB_VERSION"] = "9\n";
  guest.files["/var/lib/pacman/local/a-1-1/desc"] = "%NAME%\na\n\n%VERSION%\n1-1\n";
  guest.files["/var/lib/pacman/local/b-1-1/files"] = "";
  const Facts facts = packages_of(guest);
  EXPECT_EQ(facts.package_manager, "pacman");
  ASSERT_EQ(facts.packages.size(), 1U);
  EXPECT_EQ(facts.half_configured, std::vector<std::string>{"b-1-1: no desc in pacman's database"});
}

TEST(ReadPackages, an_empty_database_of_a_foreign_tool_does_not_hide_the_guest_s_own) {
  MemoryGuest guest;
  guest.files["/var/lib/dpkg/status"] = "";
  guest.files["/lib/apk/db/installed"] = "P:musl\nV:1.2.4-r2\n";
  EXPECT_EQ(packages_of(guest).package_manager, "apk");
  guest.files.erase("/lib/apk/db/installed");
  EXPECT_EQ(packages_of(guest).package_manager, "dpkg");
}

TEST(ReadPackages, the_system_decides_between_databases_that_both_hold_packages) {
  MemoryGuest guest;
  guest.files["/var/lib/dpkg/status"] = "Package: foreign\nStatus: install ok installed\nVersion: 1\n";
  guest.files["/lib/apk/db/installed"] = "P:musl\nV:1.2.4-r2\n";
  guest.files["/var/lib/pacman/local/a-1-1/desc"] = "%NAME%\na\n\n%VERSION%\n1-1\n";
  const auto manager = [&](const char* id, const char* id_like) {
    Facts facts;
    facts.os.id = id;
    facts.os.id_like = id_like;
    EXPECT_TRUE(read_packages(guest, facts).has_value());
    EXPECT_EQ(facts.packages.size(), 1U);
    return facts.package_manager;
  };
  EXPECT_EQ(manager("alpine", ""), "apk");
  EXPECT_EQ(manager("endeavouros", "arch"), "pacman");
  EXPECT_EQ(manager("raspbian", "debian"), "dpkg");
  EXPECT_EQ(manager("unknown", ""), "dpkg");
  EXPECT_EQ(manager("fedora", ""), "dpkg");  // whose own database does not exist
  guest.files["/lib/apk/db/installed"] = "";
  EXPECT_EQ(manager("alpine", ""), "dpkg");
}

TEST(NativeManager, comes_from_the_id_and_then_from_what_it_is_like) {
  const auto manager = [](const char* id, const char* id_like = "") {
    OsRelease os;
    os.id = id;
    os.id_like = id_like;
    return native_manager(os);
  };
  for (const char* id : {"debian", "ubuntu"}) EXPECT_EQ(manager(id), "dpkg") << id;
  for (const char* id : {"rhel", "fedora", "centos", "almalinux", "rocky", "ol", "amzn", "suse", "sles", "opensuse", "opensuse-leap",
                         "opensuse-tumbleweed"}) {
    EXPECT_EQ(manager(id), "rpm") << id;
  }
  for (const char* id : {"alpine", "wolfi", "chainguard"}) EXPECT_EQ(manager(id), "apk") << id;
  for (const char* id : {"arch", "manjaro"}) EXPECT_EQ(manager(id), "pacman") << id;
  EXPECT_EQ(manager("linuxmint", "ubuntu debian"), "dpkg");
  EXPECT_EQ(manager("virtuozzo", "no-such  rhel fedora"), "rpm");
  EXPECT_EQ(manager("alpine", "debian"), "apk");
  for (const char* id : {"", "linux", "debian2", "opensus", "debian ubuntu"}) EXPECT_EQ(manager(id), "") << id;
}

TEST(ReadPackages, guest_without_a_database_has_no_package_manager) {
  MemoryGuest guest;
  guest.files["/var/lib/rpm/.keep"] = "";
  EXPECT_EQ(packages_of(guest).package_manager, "");
}

TEST(ReadPackages, errors_name_the_file_and_the_line) {
  MemoryGuest apk;
  apk.files["/lib/apk/db/installed"] = "P:a\nV:1\n\nrubbish\n";
  EXPECT_EQ(error_of(apk).find("/lib/apk/db/installed: line 4"), 0U) << error_of(apk);
  MemoryGuest pacman;
  pacman.files["/var/lib/pacman/local/a\x1b-1/desc"] = "rubbish\n";
  EXPECT_EQ(error_of(pacman).find("/var/lib/pacman/local/a\\x1B-1/desc: line 1"), 0U) << error_of(pacman);
  MemoryGuest dpkg;
  dpkg.files["/var/lib/dpkg/status"] = "Package: a\nStatus: install ok installed\nVersion: 1\n";
  dpkg.files["/var/lib/apt/extended_states"] = "rubbish\n";
  EXPECT_EQ(error_of(dpkg).find("/var/lib/apt/extended_states: line 1"), 0U) << error_of(dpkg);
}

TEST(ReadPackages, databases_of_small_files_are_bounded_as_a_whole) {
  const std::string text = "%NAME%\na\n\n%VERSION%\n1-1\n\n%DESC%\n" + std::string(900'000, 'x') + "\n";
  MemoryGuest pacman;
  for (int i = 0; i < 80; ++i) pacman.files["/var/lib/pacman/local/a-" + std::to_string(i) + "/desc"] = text;
  EXPECT_EQ(error_of(pacman), "/var/lib/pacman/local: more than 64 MiB");
  MemoryGuest dpkg;
  std::string stanzas;
  for (int i = 0; i < 30'000; ++i) stanzas += "Package: a\nVersion: 1\n\n";
  for (int i = 0; i < 2; ++i) dpkg.files["/var/lib/dpkg/status.d/" + std::to_string(i)] = stanzas;
  EXPECT_EQ(error_of(dpkg), "/var/lib/dpkg/status.d/1: line 60001: more than 50000 packages");
}

TEST(ReadPackages, databases_of_small_files_with_overlong_names_are_failed) {
  MemoryGuest pacman;
  for (int i = 0; i < 7'000; ++i) {
    pacman.files["/var/lib/pacman/local/" + std::to_string(i) + "/desc"] =
        "%NAME%\n" + std::string(500, 'p') + "\n\n%VERSION%\n" + std::string(500, '1') + "\n\n%BASE%\n" + std::string(500, 'b') + "\n\n%ARCH%\n" +
        std::string(500, 'a') + "\n\n%LICENSE%\n" + std::string(500, 'c') + "\n";
  }
  const std::string many = error_of(pacman);
  EXPECT_NE(many.find("/var/lib/pacman/local/"), std::string::npos) << many;
  EXPECT_NE(many.find("more than 8 MiB"), std::string::npos) << many;
  MemoryGuest one;
  one.files["/var/lib/pacman/local/a/desc"] = "%NAME%\n" + std::string(513, 'p') + "\n\n%VERSION%\n1\n";
  EXPECT_EQ(error_of(one), "/var/lib/pacman/local/a/desc: line 2: value longer than 512 bytes");
}

TEST(FindRpmDatabase, newer_place_and_format_come_first) {
  MemoryGuest guest;
  EXPECT_FALSE(find_rpm_database(guest)->has_value());
  const auto path = [&] { return find_rpm_database(guest).value().value().path; };
  guest.files["/var/lib/rpm/Packages"] = "x";
  EXPECT_EQ(path(), "/var/lib/rpm/Packages");
  guest.files["/var/lib/rpm/rpmdb.sqlite"] = "x";
  EXPECT_EQ(path(), "/var/lib/rpm/rpmdb.sqlite");
  guest.files["/usr/lib/sysimage/rpm/Packages.db"] = "x";
  EXPECT_EQ(path(), "/usr/lib/sysimage/rpm/Packages.db");
}

const std::string good = R"({"name":"b","version":"1:2-3","arch":"x86_64","source":"s","source_version":"1:2-3"})";

TEST(RpmAnswer, lines_give_packages_sorted_by_name) {
  const auto packages =
      parse_rpm_answer(good + "\n" + R"({"name":"a","version":"2-3","arch":"noarch","source":"a","source_version":"2-3"})" + "\n");
  ASSERT_TRUE(packages.has_value()) << packages.error().message;
  ASSERT_EQ(packages->size(), 2U);
  EXPECT_EQ((*packages)[0].name, "a");
  EXPECT_EQ((*packages)[1].version, "1:2-3");
  EXPECT_EQ((*packages)[1].source, "s");
  EXPECT_TRUE((*packages)[1].installed());
}

TEST(RpmAnswer, module_is_told_of_a_package_of_one) {
  const std::string begin = R"({"name":"a","version":"1","arch":"","source":"a","source_version":"1","module":)";
  const auto packages = parse_rpm_answer(begin + R"("perl:5.32:8100:f5d5"})" + "\n" + good + "\n");
  ASSERT_TRUE(packages.has_value()) << packages.error().message;
  EXPECT_EQ((*packages)[0].module, "perl:5.32:8100:f5d5");
  EXPECT_EQ((*packages)[1].module, "");
  for (const std::string& value : {std::string("5"), std::string("null"), std::string(R"("a\nb")"), '"' + std::string(5000, 'x') + '"'}) {
    EXPECT_FALSE(parse_rpm_answer(begin + value + "}\n").has_value()) << value;
  }
}

TEST(RpmAnswer, overlong_values_and_answers_are_failed) {
  const auto line = [](std::size_t length) {
    const std::string text(length, 'x');
    return R"({"name":")" + text + R"(","version":")" + text + R"(","arch":"noarch","source":"a","source_version":"1"})" + "\n";
  };
  EXPECT_TRUE(parse_rpm_answer(line(512)).has_value());
  EXPECT_FALSE(parse_rpm_answer(line(513)).has_value());
  std::string many;
  for (int i = 0; i < 17'000; ++i) many += line(500);
  const auto packages = parse_rpm_answer(many);
  ASSERT_FALSE(packages.has_value());
  EXPECT_NE(packages.error().message.find("more than 8 MiB"), std::string::npos) << packages.error().message;
}

TEST(RpmAnswer, what_no_reader_of_ours_writes_is_failed) {
  const auto line = [](const std::string& name, const std::string& version) {
    return R"({"name":")" + name + R"(","version":")" + version + R"(","arch":"","source":"","source_version":""})" + "\n";
  };
  EXPECT_TRUE(parse_rpm_answer(line("a", "1")).has_value());
  for (const std::string& answer :
       {good, std::string("rubbish\n"), std::string("[]\n"), std::string("{}\n"), std::string("\n"), line("", "1"), line("a", ""),
        line("../a", "1"), line("a\\nb", "1"), line("a", "1\\u0000"), line("a", std::string(5000, '1')),
        std::string(R"({"name":1,"version":"1","arch":"","source":"","source_version":""})") + "\n"}) {
    EXPECT_FALSE(parse_rpm_answer(answer).has_value()) << answer;
  }
}

}  // namespace
}  // namespace vmpatch::guest
