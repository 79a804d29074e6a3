// What is read directly is what libguestfs reads: facts field by field, and whole trees.
#include <gtest/gtest.h>

#include <random>

#include "contract/guest/made_guests.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest::test {
namespace {

namespace fs = std::filesystem;
using image::test::TempDir;

template <class T>
T take(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// One disk, opened both ways.
struct BothWays {
  TempDir dir;
  NullLog log;
  image::Chain chain;
  image::BlockServer server;
  std::unique_ptr<Guest> direct, appliance;

  explicit BothWays(const fs::path& disk)
      : chain(take(image::Chain::open(disk, image::Format::raw, {}))), server(take(image::BlockServer::start({dir / "s", -1}))) {
    OpenRequest request;
    request.disks.push_back({take(server.export_chain(chain, "disk")), true});
    request.work_dir = dir / "work";
    request.cache_dir = fs::path(VMPATCH_BINARY_DIR) / "guest-cache";
    direct = take(make_direct_opener(log)->open_read(request));
    appliance = take(make_appliance_opener(log)->open_read(request));
  }
  ~BothWays() {
    EXPECT_TRUE(direct->finish().has_value());
    EXPECT_TRUE(appliance->finish().has_value());
  }
};

/// Field by field, so that a difference names itself.
Facts compare_facts(BothWays& guests) {
  Facts here = take(read_facts(*guests.direct));
  Facts there = take(read_facts(*guests.appliance));
  EXPECT_TRUE(here.access.starts_with("direct")) << here.access;
  EXPECT_TRUE(there.access.starts_with("appliance")) << there.access;
  here.access = there.access = "";
  const Json a = to_json(here);
  const Json b = to_json(there);
  for (const auto& [name, value] : a.items()) {
    if (name == "packages") continue;
    EXPECT_EQ(value, b[name]) << name;
  }
  EXPECT_EQ(here.packages.size(), there.packages.size());
  for (std::size_t i = 0; i < std::min(here.packages.size(), there.packages.size()); ++i) {
    EXPECT_EQ(a["packages"][i], b["packages"][i]) << i;
  }
  EXPECT_EQ(here, there);
  return here;
}

template <class T>
std::string shown(const Result<T>& result) {
  return result ? std::string("found") : std::string(to_string(result.error().code));
}

/// Compares everything below a folder; `big` folders by their lists and some entries.
class Walk {
 public:
  explicit Walk(BothWays& guests) : direct_(*guests.direct), appliance_(*guests.appliance) {}

  void compare(const std::string& folder) {
    const auto here = direct_.list(folder);
    const auto there = appliance_.list(folder);
    ASSERT_EQ(shown(here), shown(there)) << escape_untrusted(folder);
    ASSERT_TRUE(here.has_value()) << here.error().message;
    ASSERT_EQ(here->size(), there->size()) << escape_untrusted(folder);
    const std::size_t step = here->size() > 1000 ? here->size() / 50 : 1;
    std::vector<std::string> files;
    for (std::size_t i = 0; i < here->size(); ++i) {
      EXPECT_EQ((*here)[i].name, (*there)[i].name);
      EXPECT_EQ((*here)[i].kind, (*there)[i].kind) << escape_untrusted((*here)[i].name);
      ++entries;
      if (i % step != 0) continue;
      const std::string path = (folder == "/" ? "" : folder) + "/" + (*here)[i].name;
      if (path == closed) {
        compare_closed();
        continue;
      }
      compare_entry(path, (*here)[i].kind);
      if ((*here)[i].kind == FileKind::regular) files.push_back(path);
      if ((*here)[i].kind == FileKind::directory) compare(path);
    }
    compare_contents(files);
  }
  std::size_t entries = 0, contents = 0;
  std::string closed;  ///< mount point of a device that is missing

 private:
  void compare_entry(const std::string& path, FileKind kind) {
    const auto here = direct_.lstat(path);
    const auto there = appliance_.lstat(path);
    ASSERT_EQ(shown(here), shown(there)) << escape_untrusted(path);
    ASSERT_TRUE(here.has_value()) << here.error().message;
    EXPECT_EQ(*here, *there) << escape_untrusted(path) << ": " << here->size << " and " << there->size;
    if (kind != FileKind::symlink) return;
    EXPECT_EQ(direct_.readlink(path).value_or("?"), appliance_.readlink(path).value_or("!")) << escape_untrusted(path);
    const auto end = direct_.stat(path);
    const auto other_end = appliance_.stat(path);
    EXPECT_EQ(shown(end), shown(other_end)) << escape_untrusted(path);
    if (end && other_end) {
      EXPECT_EQ(*end, *other_end) << escape_untrusted(path);
    }
  }
  void compare_closed() {
    const std::string below = closed + "/file";
    for (Guest* guest : {&direct_, &appliance_}) {
      const auto info = guest->lstat(closed);
      ASSERT_EQ(shown(info), "not_found");
      EXPECT_NE(info.error().message.find("no disk of this machine holds"), std::string::npos) << info.error().message;
      EXPECT_EQ(shown(guest->list(closed)), "not_found");
      EXPECT_EQ(shown(guest->read(below, 10)), "not_found");
      EXPECT_FALSE(take(guest->digests({below}))[0].has_value());
    }
  }
  void compare_contents(const std::vector<std::string>& files) {
    const auto here = take(direct_.digests(files));
    const auto there = take(appliance_.digests(files));
    ASSERT_EQ(here.size(), there.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
      ASSERT_TRUE(here[i] && there[i]) << escape_untrusted(files[i]);
      EXPECT_EQ(here[i]->hex(), there[i]->hex()) << escape_untrusted(files[i]);
      ++contents;
    }
  }

  Guest& direct_;
  Guest& appliance_;
};

void compare_ranges(BothWays& guests, const std::string& path) {
  const std::uint64_t size = take(guests.direct->stat(path)).size;
  std::mt19937_64 random(7);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges{{0, 0}, {0, 64}, {size - 1, 10}, {size, 1}, {size + 100, 5}, {0, Guest::max_range}};
  for (int i = 0; i < 10; ++i) ranges.emplace_back(random() % size, random() % 100'000);
  for (const auto& [offset, length] : ranges) {
    const std::string here = take(guests.direct->read_range(path, offset, length));
    EXPECT_EQ(here.size(), offset < size ? std::min(length, size - offset) : 0);
    EXPECT_TRUE(here == take(guests.appliance->read_range(path, offset, length))) << path << " from " << offset << ", " << length << " bytes";
  }
  EXPECT_EQ(guests.direct->read_range(path, 0, Guest::max_range + 1).error().code, Errc::failed);
  EXPECT_EQ(guests.appliance->read_range(path, 0, Guest::max_range + 1).error().code, Errc::failed);
  EXPECT_EQ(guests.direct->read_range("/no/such", 0, 1).error().code, Errc::not_found);
  EXPECT_EQ(guests.appliance->read_range("/no/such", 0, 1).error().code, Errc::not_found);
}

fs::path test_image(const std::string& guest, const std::string& key) {
  Command command;
  command.argv = {VMPATCH_SOURCE_DIR "/testimages/build", guest, "--list"};
  command.timeout = std::chrono::minutes(10);
  const std::string listed = take(run_checked(command)).out;
  for (const std::string_view line : split(listed, '\n')) {
    if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
  }
  throw std::runtime_error("no image " + key);
}

TEST(Equality, gpt_guest_of_four_file_systems) {
  const TempDir dir;
  BothWays guests(make_gpt_guest(dir));
  const Facts facts = compare_facts(guests);
  EXPECT_EQ(facts.packages.size(), 1500U);
  EXPECT_EQ(facts.default_boot, (DefaultBoot{"6.1.0-9-amd64", "/boot/grub/grub.cfg"}));
  EXPECT_EQ(facts.last_boot.source, "/var/lib/systemd/random-seed");
  EXPECT_EQ(facts.cloud_init, CloudInit::ran);
  EXPECT_EQ(facts.init, "systemd");
  EXPECT_EQ(facts.kernels.size(), 2U);
  Walk walk(guests);
  walk.closed = "/closed";
  walk.compare("/");
  EXPECT_GT(walk.entries, static_cast<std::size_t>(many_entries));
  EXPECT_GT(walk.contents, 70U);
  compare_ranges(guests, "/sparse");
  compare_ranges(guests, "/usr/share/doc/large");
}

TEST(Equality, mbr_guest_with_logical_partitions) {
  const TempDir dir;
  BothWays guests(make_mbr_guest(dir));
  const Facts facts = compare_facts(guests);
  EXPECT_EQ(facts.package_manager, "apk");
  EXPECT_EQ(facts.packages.size(), 2U);
  EXPECT_EQ(facts.default_boot, (DefaultBoot{"6.6.36-0-lts", "/boot/extlinux.conf"}));
  EXPECT_EQ(facts.cloud_init, CloudInit::absent);
  Walk walk(guests);
  walk.compare("/");
  EXPECT_GT(walk.contents, 45U);
  compare_ranges(guests, "/usr/share/holes");
  compare_ranges(guests, "/var/log/messages");
}

class TestGuest : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(TestGuest, facts_are_equal) {
  const auto& [name, key] = GetParam();
  BothWays guests(test_image(name, key));
  const Facts facts = compare_facts(guests);
  EXPECT_EQ(facts.package_manager, "dpkg");
  EXPECT_FALSE(facts.packages.empty());
  Walk walk(guests);
  walk.compare("/etc");
  walk.compare("/boot");
  EXPECT_GT(walk.entries, 10U);
}

INSTANTIATE_TEST_SUITE_P(Images, TestGuest,
                         testing::Values(std::pair("mini-debian", "gpt_raw"), std::pair("debian-12-outdated", "raw")),
                         [](const auto& image) { return image.param.first == "mini-debian" ? "mini" : "debian_12_outdated"; });

}  // namespace
}  // namespace vmpatch::guest::test
