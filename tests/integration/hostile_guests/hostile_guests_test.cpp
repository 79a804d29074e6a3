// Files that mean harm, on sound file systems.
#include <random>

#include "integration/hostile_guests/inspect.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest::hostile {
namespace {

TEST(HostileGuest, sound_guest_is_read) {
  const TempDir dir;
  write_root(dir, "root");
  const auto found = inspect(dir, image_of(dir));
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_TRUE(found.says("Debian GNU/Linux 12 (bookworm)")) << found.out;
}

TEST(HostileGuest, loops_of_links_are_named) {
  const TempDir dir;
  write_root(dir, "root");
  fs::remove(dir / "root/etc/os-release");
  fs::create_symlink("loop", dir / "root/etc/loop");
  fs::create_symlink("loop", dir / "root/etc/os-release");
  expect_refused(inspect(dir, image_of(dir)), "/etc/os-release: more than 40 symbolic links");
}

TEST(HostileGuest, loop_in_place_of_the_package_database_is_named) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/dpkg");
  fs::create_symlink("../dpkg/status", dir / "root/var/lib/dpkg/status");
  expect_refused(inspect(dir, image_of(dir)), "/var/lib/dpkg/status: more than 40 symbolic links");
}

TEST(HostileGuest, links_to_files_of_the_host_show_nothing_of_it) {
  const TempDir dir;
  dir.write("secret", "PRETTY_NAME=\"SECRET OF THE HOST\"\nID=secret\n");
  const std::string secret = (dir / "secret").string();
  for (const std::string& target : {secret, "/../../../../../../../../.." + secret, "../../../../../../../.." + secret,
                                    "/proc/self/root" + secret, "/proc/1/cwd" + secret}) {
    fs::remove_all(dir / "root");
    write_root(dir, "root");
    fs::remove(dir / "root/etc/os-release");
    fs::create_symlink(target, dir / "root/etc/os-release");
    const auto found = inspect(dir, image_of(dir));
    expect_refused(found, "no operating system found", 4);
    EXPECT_FALSE(found.says("SECRET"));
  }
}

TEST(HostileGuest, link_to_etc_passwd_is_the_guests_own) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/etc/passwd", "PRETTY_NAME=\"passwd of the guest\"\n");
  fs::remove(dir / "root/etc/os-release");
  fs::create_symlink("/../../../../etc/passwd", dir / "root/etc/os-release");
  EXPECT_TRUE(inspect(dir, image_of(dir)).says("passwd of the guest"));
}

TEST(HostileGuest, sparse_os_release_of_10_gib_is_refused_by_its_size) {
  const TempDir dir;
  write_root(dir, "root");
  sparse(dir, "root/etc/os-release", 10 * gib);
  expect_refused(inspect(dir, image_of(dir)), "/etc/os-release has 10 GiB in the guest, more than the 1 MiB that are allowed");
}

TEST(HostileGuest, database_of_1_gib_is_refused_by_its_size) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/dpkg");
  sparse(dir, "root/var/lib/dpkg/status", gib);
  expect_refused(inspect(dir, image_of(dir)), "/var/lib/dpkg/status has 1 GiB in the guest");
}

TEST(HostileGuest, database_of_1_gib_of_garbage_is_refused_by_its_size) {
  const TempDir dir;
  write_root(dir, "root");
  fs::create_directories(dir / "root/var/lib/dpkg");
  {
    std::mt19937_64 random(1);
    std::string block(mib, '\0');
    for (char& c : block) c = static_cast<char>(random());
    std::ofstream out(dir / "root/var/lib/dpkg/status", std::ios::binary);
    for (int i = 0; i < 1024; ++i) out.write(block.data(), static_cast<std::streamsize>(block.size()));
  }
  const fs::path image = image_of(dir, {"-t", "ext4"}, "1200M");
  fs::remove_all(dir / "root");
  expect_refused(inspect(dir, image), "/var/lib/dpkg/status has 1 GiB in the guest");
}

TEST(HostileGuest, largest_database_that_is_read_is_parsed_in_bounds) {
  const TempDir dir;
  write_root(dir, "root");
  std::string garbage;
  std::mt19937_64 random(1);
  while (garbage.size() < 63 * mib) garbage += static_cast<char>(random());
  dir.write("root/var/lib/dpkg/status", garbage);
  expect_refused(inspect(dir, image_of(dir, {"-t", "ext4"}, "200M")), "/var/lib/dpkg/status: line 1");
  std::string stanzas;
  for (int i = 0; stanzas.size() < 60 * mib; ++i) stanzas += fmt::format("Package: p{}\nStatus: install ok installed\nVersion: 1\n\n", i);
  dir.write("root/var/lib/dpkg/status", stanzas);
  expect_refused(inspect(dir, image_of(dir, {"-t", "ext4"}, "200M")), "more than 50000 packages");
  std::string continued = "Package: p\nStatus: install ok installed\nVersion: 1\nDescription: x\n";
  while (continued.size() < 60 * mib) continued += " y\n";
  dir.write("root/var/lib/dpkg/status", continued);
  const auto found = inspect(dir, image_of(dir, {"-t", "ext4"}, "200M"));
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_TRUE(found.says("1 installed (dpkg)")) << found.out;
}

/// Names and versions of bytes that are no text: JSON has three for each.
std::string half_installed(int count, std::size_t size) {
  const std::string noise(size, '\xff');
  std::string text;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    text += "Package: " + number + noise.substr(number.size()) + "\nStatus: install ok half-installed\nVersion: " + noise + "\n\n";
  }
  return text;
}

TEST(HostileGuest, names_and_versions_longer_than_any_honest_one_are_refused) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/var/lib/dpkg/status", half_installed(8'008, 4'000));
  expect_refused(inspect(dir, image_of(dir, {"-t", "ext4"}, "200M")), "/var/lib/dpkg/status: line 1: field Package longer than 512 bytes");
  dir.write("root/var/lib/dpkg/status", half_installed(60'000, 500));
  expect_refused(inspect(dir, image_of(dir, {"-t", "ext4"}, "200M")), "the names and versions of its packages have more than 8 MiB");
}

TEST(HostileGuest, largest_facts_that_are_told_stay_in_bounds_and_are_not_kept) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/var/lib/dpkg/status", half_installed(3'900, 500));
  const fs::path image = image_of(dir, {"-t", "ext4"}, "200M");
  std::this_thread::sleep_for(std::chrono::milliseconds(2'100));  // facts of what was just written are never kept
  const auto found = inspect(dir, image, true);
  EXPECT_EQ(found.exit_code, 0) << found.err.substr(0, 500);
  EXPECT_TRUE(found.says("facts are not kept")) << found.err.substr(0, 500);
  EXPECT_LT(fs::file_size(dir / "state/facts.sqlite"), mib);
}

TEST(HostileGuest, as_many_packages_as_are_told_stay_in_bounds) {
  const TempDir dir;
  write_root(dir, "root");
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += fmt::format("Package: p{}\nStatus: install ok installed\nVersion: 1\n\n", i);
  dir.write("root/var/lib/dpkg/status", text);
  const auto found = inspect(dir, image_of(dir, {"-t", "ext4"}, "200M"), true);
  EXPECT_EQ(found.exit_code, 0) << found.err.substr(0, 500);
}

TEST(HostileGuest, huge_files_elsewhere_cost_nothing) {
  const TempDir dir;
  write_root(dir, "root", "/swapfile none swap sw 0 0\n");
  fs::create_directories(dir / "root/var/log");
  for (const char* path : {"etc/hostname", "etc/resolv.conf", "etc/ssh/ssh_host_rsa_key", "boot/grub/grub.cfg", "boot/grub/grubenv",
                           "boot/loader/loader.conf", "boot/loader/entries/a.conf", "bin/sh", "var/log/wtmp", "swapfile"}) {
    fs::create_directories((dir / ("root/"s + path)).parent_path());
    sparse(dir, "root/"s + path, 10 * gib);
  }
  const auto found = inspect(dir, image_of(dir), true);
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_TRUE(found.says("\"/etc/hostname\": \"10737418240 bytes\"")) << found.out;
}

TEST(HostileGuest, machine_id_of_10_gib_is_refused_by_its_size) {
  const TempDir dir;
  write_root(dir, "root");
  sparse(dir, "root/etc/machine-id", 10 * gib);
  expect_refused(inspect(dir, image_of(dir)), "/etc/machine-id has 10 GiB");
}

TEST(HostileGuest, names_with_newline_and_escape_are_escaped) {
  const TempDir dir;
  write_root(dir, "root", "/dev/sda / ext4 \x1b[2Jdefaults 0 1\nproc\x1b]0;x /pr\x1boc proc d 0 0\n");
  dir.write("root/etc/os-release", "ID=\"de\x1b[31mbian\"\nPRETTY_NAME=\"evil\\\n\x1b]0;title\x07\xe2\x80\xae\"\nVERSION_ID=\"1\x9b\x7f\"\n");
  dir.write("root/boot/vmlinuz-\x1b[31m\nred", "");
  dir.write("root/boot/grub/grub.cfg", "menuentry a {\n linux /boot/vmlinuz-\x1b[31mred\n}\n");
  dir.write("root/etc/ssh/ssh_host_\x1b\n_key", "key");
  dir.write("root/var/lib/dpkg/status", "Package: ev\x1b[2Jil\nStatus: hold ok installed\nVersion: 1\x1b\nArchitecture: all\n");
  fs::create_symlink("/\x1b[2J\n", dir / "root/etc/resolv.conf");
  const auto text = inspect(dir, image_of(dir));
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(text.says("evil")) << text.out;
  EXPECT_TRUE(text.says("\\x1B")) << text.out;
  const auto json = inspect(dir, image_of(dir), true);
  EXPECT_EQ(json.exit_code, 0) << json.err;
  const auto parsed = parse_json(json.out, "answer");
  ASSERT_TRUE(parsed.has_value()) << json.out;
  const Json& facts = parsed->at("machines").at(0).at("facts");
  ASSERT_EQ(facts.at("packages").size(), 1U) << json.out;
  // JSON has the name itself, only that its control character is escaped.
  EXPECT_EQ(facts.at("packages").at(0).at("name"), "ev\x1b[2Jil");
}

TEST(HostileGuest, escape_in_an_error_is_escaped) {
  const TempDir dir;
  write_root(dir, "root", "/dev/\x1b[2Jsdx /var ext4 defaults 0 2\n");
  expect_refused(inspect(dir, image_of(dir)), "\\x1B[2Jsdx");
}

TEST(HostileGuest, folder_of_many_names_is_read) {
  const TempDir dir;
  write_root(dir, "root");
  const std::string long_name(200, 'n');
  for (int i = 0; i < 4'000; ++i) dir.write(fmt::format("root/boot/vmlinuz-{}-{}", i, long_name), "");
  const auto found = inspect(dir, image_of(dir, {"-t", "ext4", "-N", "8000"}, "64M"));
  EXPECT_EQ(found.exit_code, 0) << found.err.substr(0, 500);
}

}  // namespace
}  // namespace vmpatch::guest::hostile
