#include "vmpatch/guest/manager_files.hpp"

#include <gtest/gtest.h>

#include "support/fake_guest.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest {
namespace {

std::string stanza(const std::string& name, const std::string& arch, const std::string& status = "install ok installed") {
  return "Package: " + name + "\nStatus: " + status + "\nVersion: 1.0\nArchitecture: " + arch + "\n\n";
}

const std::string database = stanza("dpkg", "amd64") + stanza("own", "all");

FakeGuest debian() {
  FakeGuest guest;
  guest.add_file("/var/lib/dpkg/status", database);
  return guest;
}

Result<ManagerFiles> through_text(const ManagerFiles& files) {
  VMPATCH_TRY(const Json json, parse_json(dump_json(to_json(files)), "files"));
  return manager_files_from_json(json);
}

TEST(ManagerFiles, every_file_that_decides_is_read_under_its_name) {
  FakeGuest guest = debian();
  guest.add_file("/var/lib/dpkg/arch", "amd64\ni386\n\n armhf \nnot an architecture\ni386\n../x\n");
  guest.add_file("/var/lib/apt/extended_states", "states");
  guest.add_file("/etc/apt/preferences", "pins");
  guest.add_file("/etc/apt/preferences.d/10-pin", "more pins");
  guest.add_file("/etc/apt/preferences.d/20.pref", "");
  guest.add_file("/etc/apt/apt.conf", "conf");
  guest.add_file("/etc/apt/apt.conf.d/70debconf", "more conf");
  guest.add_file("/etc/machine-id", "0123\n");
  guest.add_file("/etc/apt/sources.list", "deb http://example.org/ x main");
  guest.add_file("/etc/apt/auth.conf", "machine example.org password x");
  const auto files = read_manager_files(guest);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->manager, "dpkg");
  EXPECT_EQ(files->architectures, (std::vector<std::string>{"amd64", "i386", "armhf"}));
  const std::map<std::string, std::string> expected{{"status", database}, {"extended_states", "states"}, {"preferences", "pins"},
                                                    {"preferences.d/10-pin", "more pins"}, {"preferences.d/20.pref", ""}, {"apt.conf", "conf"},
                                                    {"apt.conf.d/70debconf", "more conf"}, {"machine-id", "0123\n"}};
  EXPECT_EQ(files->files, expected);
}

TEST(ManagerFiles, what_does_not_exist_is_missing) {
  FakeGuest guest = debian();
  const auto files = read_manager_files(guest);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->files, (std::map<std::string, std::string>{{"status", database}}));
  EXPECT_EQ(files->architectures, (std::vector<std::string>{"amd64"}));
}

TEST(ManagerFiles, guest_without_dpkg_is_unsupported) {
  FakeGuest none;
  EXPECT_EQ(read_manager_files(none).error().code, Errc::unsupported);
  for (const std::string& text : {std::string(), stanza("own", "amd64"), stanza("dpkg", "amd64", "deinstall ok config-files"), stanza("dpkg", "../x"), stanza("dpkg", "")}) {
    FakeGuest guest;
    guest.add_file("/var/lib/dpkg/status", text);
    EXPECT_EQ(read_manager_files(guest).error().code, Errc::unsupported) << text;
  }
  FakeGuest folder;
  folder.add_dir("/var/lib/dpkg/status");
  EXPECT_EQ(read_manager_files(folder).error().code, Errc::unsupported);
}

TEST(ManagerFiles, links_are_followed_inside_of_the_guest) {
  FakeGuest guest = debian();
  guest.add_file("/srv/pins", "pins");
  guest.add_link("/etc/apt/preferences", "/srv/pins");
  guest.add_link("/etc/apt/apt.conf", "/nowhere");
  guest.add_link("/etc/apt/apt.conf.d/gone", "nowhere");
  guest.add_link("/etc/apt/preferences.d/own", "/srv/pins");
  const auto files = read_manager_files(guest);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->files, (std::map<std::string, std::string>{{"status", database}, {"preferences", "pins"}, {"preferences.d/own", "pins"}}));
}

/// Reads as the real ones do: regular files alone.
class StrictGuest : public FakeGuest {
 public:
  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override {
    VMPATCH_TRY(const FileStat info, stat(path));
    if (info.kind != FileKind::regular) return fail(Errc::failed, "{} is no regular file", path);
    return FakeGuest::read(path, max_bytes);
  }
};

TEST(ManagerFiles, links_to_what_is_no_file_count_as_missing) {
  StrictGuest guest;
  guest.add_file("/var/lib/dpkg/status", database);
  guest.add_dir("/dev/null");  // of whatever kind
  guest.add_link("/etc/apt/preferences", "/dev/null");
  guest.add_link("/etc/apt/apt.conf.d/20auto-upgrades", "/dev/null");
  guest.add_dir("/etc/apt/apt.conf");
  guest.add_dir("/etc/apt/apt.conf.d/folder");
  const auto files = read_manager_files(guest);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->files, (std::map<std::string, std::string>{{"status", database}}));
}

TEST(ManagerFiles, names_that_apt_passes_over_are_not_carried) {
  FakeGuest guest = debian();
  for (const std::string name : {".hidden", "a b", "a~", "a\nb", "\xFF", "a:b", "a*"}) guest.add_file("/etc/apt/preferences.d/" + name, "x");
  guest.add_file("/etc/apt/preferences.d/" + std::string(200, 'a'), "x");
  guest.add_file("/etc/apt/preferences.d/" + std::string(199, 'a'), "x");
  const auto files = read_manager_files(guest);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->files.size(), 2U);
  EXPECT_TRUE(files->files.contains("preferences.d/" + std::string(199, 'a')));
}

TEST(ManagerFiles, too_many_and_too_large_files_are_failed_with_their_place) {
  FakeGuest many = debian();
  for (int i = 0; i < 1000; ++i) many.add_file(fmt::format("/etc/apt/apt.conf.d/{}", i), "");
  EXPECT_TRUE(read_manager_files(many));
  many.add_file("/etc/apt/apt.conf.d/one-more", "");
  EXPECT_EQ(read_manager_files(many).error().code, Errc::failed);
  EXPECT_EQ(read_manager_files(many).error().message, "/etc/apt/apt.conf.d has more than 1000 files");
  FakeGuest large = debian();
  large.add_file("/etc/apt/preferences.d/large", std::string((1U << 20U) + 1, 'x'));
  const auto files = read_manager_files(large);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::failed);
  EXPECT_TRUE(files.error().message.starts_with("/etc/apt/preferences.d/large: ")) << files.error().message;
}

TEST(ManagerFiles, malformed_database_is_failed_with_its_line) {
  FakeGuest guest;
  guest.add_file("/var/lib/dpkg/status", database + "Package: a b\nStatus: install ok installed\n");
  const auto files = read_manager_files(guest);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::failed);
  EXPECT_NE(files.error().message.find("line 11"), std::string::npos) << files.error().message;
}

TEST(ManagerFilesJson, bytes_that_are_no_utf8_come_back) {
  ManagerFiles files{"dpkg", {"amd64", "i386"}, {{"status", database}, {"apt.conf.d/x", ""}}};
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  files.files["preferences"] = all + "\xEE\xBE\x80 \u00E9 \xC3";
  files.files["preferences.d/a"] = std::string("\0\xFF\n", 3);
  EXPECT_EQ(through_text(files).value(), files);
  EXPECT_EQ(through_text(ManagerFiles{}).value(), ManagerFiles{});
}

TEST(ManagerFilesJson, other_shapes_and_other_names_are_failed) {
  const Json whole = to_json(ManagerFiles{"dpkg", {"amd64"}, {{"status", ""}}});
  EXPECT_TRUE(manager_files_from_json(whole));
  for (const char* key : {"manager", "architectures", "files"}) {
    Json json = whole;
    json.erase(key);
    EXPECT_EQ(manager_files_from_json(json).error().code, Errc::failed) << key;
    json[key] = 1;
    EXPECT_EQ(manager_files_from_json(json).error().code, Errc::failed) << key;
  }
  for (const char* name : {"", "..", "../status", "/etc/passwd", "preferences.d", "preferences.d/", "preferences.d/../../x", "apt.conf.d/a/b", "apt.conf.d/.x", "lists/x", "sources.list"}) {
    Json json = whole;
    json["files"][name] = "x";
    EXPECT_EQ(manager_files_from_json(json).error().code, Errc::failed) << name;
  }
  Json json = whole;
  json["files"]["status"] = 1;
  EXPECT_EQ(manager_files_from_json(json).error().code, Errc::failed);
  EXPECT_EQ(manager_files_from_json(Json(1)).error().code, Errc::failed);
}

}  // namespace
}  // namespace vmpatch::guest
