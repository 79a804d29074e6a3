#include "repository/store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "suite_sample.hpp"
#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::repository {
namespace {

class RepositoryStore : public testing::Test {
 protected:
  Store open() const { return Store::open(scratch_ / "state", scratch_ / "cache").value(); }
  fs::path record() const { return scratch_ / "state/repositories/debian/bookworm.json"; }
  fs::path cached(const IndexFile& file) const { return scratch_.path() / "cache/repositories" / file.sha256.hex(); }
  /// A list that was downloaded.
  IndexFile list(const Store& store, const std::string& content = "content", const std::string& compression = ".xz") const {
    IndexFile file = store.keep(content).value();
    file.compression = compression;
    return file;
  }

  vmpatch::test::Scratch scratch_;
};

Record sample_record() { return {test::sample_suite(), Seen{"bookworm", "Debian", "Debian-Security", parse_time("2026-11-29T00:53:13Z").value()}}; }

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777U;
}

TEST_F(RepositoryStore, what_was_saved_is_found_again_by_another_process) {
  EXPECT_FALSE(open().find("debian", "bookworm").value());
  ASSERT_TRUE(open().save(sample_record()));
  const auto found = open().find("debian", "bookworm").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->suite, sample_record().suite);
  EXPECT_EQ(found->seen, sample_record().seen);
  EXPECT_EQ(mode_of(record()), 0600U);
  EXPECT_EQ(mode_of(record().parent_path()), 0700U);
  EXPECT_FALSE(open().find("debian", "trixie").value());
  EXPECT_FALSE(open().find("ubuntu", "bookworm").value());
}

TEST_F(RepositoryStore, record_of_pins_alone_remembers_nothing_as_seen) {
  ASSERT_TRUE(open().save({test::sample_suite(), std::nullopt}));
  EXPECT_FALSE(open().find("debian", "bookworm").value()->seen);
}

TEST_F(RepositoryStore, suites_with_a_slash_are_files_of_one_folder) {
  Record one = sample_record();
  one.suite.suite = "buster/updates";
  ASSERT_TRUE(open().save(one));
  EXPECT_TRUE(fs::exists(scratch_ / "state/repositories/debian/buster%2Fupdates.json"));
  EXPECT_EQ(open().find("debian", "buster/updates").value()->suite, one.suite);
  EXPECT_FALSE(open().find("debian", "buster").value());
  one.suite.suite = "../../../a/b/";
  ASSERT_TRUE(open().save(one));
  EXPECT_EQ(open().find("debian", "../../../a/b/").value()->suite, one.suite);
  EXPECT_FALSE(fs::exists(scratch_ / "a"));
}

TEST_F(RepositoryStore, forgetting_one_repository_leaves_the_others) {
  Record other = sample_record();
  other.suite.repository = "debian.lock";
  ASSERT_TRUE(open().save(sample_record()));
  ASSERT_TRUE(open().save(other));
  EXPECT_TRUE(open().forget("debian").value());
  EXPECT_FALSE(open().find("debian", "bookworm").value());
  EXPECT_TRUE(open().find("debian.lock", "bookworm").value());
  EXPECT_FALSE(open().forget("debian").value());
}

TEST_F(RepositoryStore, of_several_who_refresh_one_repository_one_goes_on) {
  const Store store = open();
  {
    const auto mine = store.lock("debian");
    ASSERT_TRUE(mine) << mine.error().message;
    const auto second = open().lock("debian");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::busy);
    EXPECT_TRUE(second.error().message.starts_with("another vm-patch refreshes repository debian")) << second.error().message;
    EXPECT_TRUE(open().lock("ubuntu"));
  }
  EXPECT_TRUE(open().lock("debian"));
}

TEST_F(RepositoryStore, a_lock_is_no_repository) {
  ASSERT_TRUE(open().lock("debian"));
  EXPECT_FALSE(open().forget("debian").value());
  // A name that ends like a lock's.
  Record other = sample_record();
  other.suite.repository = "debian.lock";
  ASSERT_TRUE(open().save(other));
  EXPECT_TRUE(open().lock("debian"));
}

TEST_F(RepositoryStore, damaged_record_is_failed_with_its_file_and_the_way_out) {
  ASSERT_TRUE(open().save(sample_record()));
  const std::string whole = read_file(record()).value();
  const auto expect_damaged = [&](const std::string& text) {
    ASSERT_TRUE(write_file_atomic(record(), text, 0600));
    const auto found = open().find("debian", "bookworm");
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, Errc::failed);
    EXPECT_NE(found.error().message.find(record().string()), std::string::npos);
    EXPECT_NE(found.error().message.find("vm-patch repository forget debian"), std::string::npos);
  };
  for (std::size_t length = 0; length + 2 < whole.size(); length += 97) expect_damaged(whole.substr(0, length));
  for (const char* text : {"null", "[]", "{}", "1", "{\"suite\":null,\"seen\":null}", "{\"suite\":{},\"seen\":null}"}) expect_damaged(text);
  Json json = parse_json(whole, "").value();
  for (const char* key : {"suite", "seen"}) {
    Json without = json;
    without.erase(key);
    expect_damaged(dump_json(without));
  }
  for (const char* key : {"codename", "origin", "label", "date"}) {
    Json without = json;
    without["seen"].erase(key);
    expect_damaged(dump_json(without));
    without["seen"][key] = 1;
    expect_damaged(dump_json(without));
  }
  json["seen"]["date"] = "yesterday";
  expect_damaged(dump_json(json));
  ASSERT_TRUE(write_file_atomic(record(), whole, 0600));
  EXPECT_TRUE(open().find("debian", "bookworm").value());
}

TEST_F(RepositoryStore, endless_record_is_failed) {
  ASSERT_TRUE(open().save(sample_record()));
  fs::resize_file(record(), 64U << 20U);
  EXPECT_EQ(open().find("debian", "bookworm").error().code, Errc::failed);
}

TEST_F(RepositoryStore, file_is_found_by_the_name_that_tells_its_compression) {
  const Store store = open();
  const IndexFile xz = list(store);
  const fs::path path = store.open_file(xz).value();
  EXPECT_EQ(path.extension(), ".xz");
  EXPECT_EQ(read_file(path).value(), "content");
  EXPECT_EQ(store.open_file(xz).value(), path);
  const IndexFile plain = list(store, "other", "");
  EXPECT_EQ(store.open_file(plain).value(), cached(plain));
}

TEST_F(RepositoryStore, missing_file_is_not_found) {
  EXPECT_EQ(open().open_file({sha256("never"), 5, ".xz"}).error().code, Errc::not_found);
}

TEST_F(RepositoryStore, tampered_file_is_untrusted_with_the_way_out) {
  const Store store = open();
  const IndexFile file = list(store);
  for (const char* content : {"", "conten", "content.", "Content"}) {
    ASSERT_TRUE(write_file_atomic(cached(file), content));
    const auto opened = store.open_file(file);
    ASSERT_FALSE(opened) << content;
    EXPECT_EQ(opened.error().code, Errc::untrusted) << content;
    EXPECT_NE(opened.error().message.find("remove it, and refresh"), std::string::npos);
  }
  // The right content for another size is no file of the metadata.
  ASSERT_TRUE(store.keep("content"));
  EXPECT_EQ(store.open_file({file.sha256, 6, ""}).error().code, Errc::untrusted);
  EXPECT_TRUE(store.open_file(file));
}

TEST_F(RepositoryStore, what_is_no_regular_file_is_untrusted_and_nobody_waits_for_it) {
  const Store store = open();
  const IndexFile file = list(store);
  fs::rename(cached(file), scratch_ / "elsewhere");
  fs::create_symlink(scratch_ / "elsewhere", cached(file));
  EXPECT_EQ(store.open_file(file).error().code, Errc::untrusted);
  fs::remove(cached(file));
  fs::create_directory(cached(file));
  EXPECT_EQ(store.open_file(file).error().code, Errc::untrusted);
  fs::remove(cached(file));
  ASSERT_EQ(::mkfifo(cached(file).c_str(), 0600), 0);
  EXPECT_EQ(store.open_file(file).error().code, Errc::untrusted);
}

TEST_F(RepositoryStore, name_with_the_ending_leads_to_what_was_hashed_whatever_stood_there) {
  const Store store = open();
  const IndexFile file = list(store);
  const fs::path name = store.open_file(file).value();
  const auto stands_there = [&](auto make) {
    fs::remove_all(name);
    make();
    const auto opened = store.open_file(file);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(read_file(*opened).value(), "content");
  };
  stands_there([] {});
  stands_there([&] { ASSERT_TRUE(write_file_atomic(name, "forged")); });
  stands_there([&] { fs::create_symlink(scratch_ / "state", name); });
  stands_there([&] { fs::create_symlink("nowhere", name); });
  stands_there([&] { fs::create_directories(name / "folder"); });
}

TEST_F(RepositoryStore, every_program_may_read_the_files) {
  const Store store = open();
  const IndexFile file = list(store);
  ASSERT_EQ(::chmod(cached(file).c_str(), 0600), 0);
  ASSERT_TRUE(store.open_file(file));
  EXPECT_EQ(mode_of(cached(file)), 0644U);
  EXPECT_EQ(mode_of(scratch_ / "cache/repositories"), 0755U);
}

TEST_F(RepositoryStore, sweep_takes_what_no_record_names_and_is_old_enough) {
  const Store store = open();
  Record record = sample_record();
  record.suite.release = list(store, "release", "");
  const IndexFile named = list(store, "named"), old = list(store, "old");
  record.suite.indexes = {{"main/binary-amd64/Packages", named}};
  ASSERT_TRUE(store.save(record));
  ASSERT_TRUE(store.open_file(old));  // with its ending
  ASSERT_TRUE(write_file_atomic(cached(old).string() + ".offers", "x"));
  ASSERT_TRUE(write_file_atomic(scratch_ / "cache/repositories/note", "x"));
  store.sweep(std::chrono::hours(1));
  EXPECT_TRUE(fs::exists(cached(old)));
  store.sweep(std::chrono::seconds(-1));
  EXPECT_TRUE(store.open_file(named));
  EXPECT_TRUE(store.open_file(record.suite.release));
  EXPECT_TRUE(fs::exists(scratch_ / "cache/repositories/note"));
  for (const char* ending : {"", ".xz", ".offers"}) EXPECT_FALSE(fs::is_symlink(cached(old).string() + ending) || fs::exists(cached(old).string() + ending)) << ending;
  const auto gone = store.open_file(old);
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("vm-patch repository refresh"), std::string::npos);
}

TEST_F(RepositoryStore, sweep_takes_nothing_where_a_record_cannot_be_read) {
  const Store store = open();
  const IndexFile old = list(store, "old");
  ASSERT_TRUE(make_dirs(record().parent_path()));
  ASSERT_TRUE(write_file_atomic(record(), "{"));
  store.sweep(std::chrono::seconds(-1));
  EXPECT_TRUE(store.open_file(old));
}

TEST_F(RepositoryStore, folder_that_others_may_write_is_refused) {
  static_cast<void>(open());
  ASSERT_EQ(::chmod((scratch_ / "cache/repositories").c_str(), 0777), 0);
  const auto refused = Store::open(scratch_ / "state", scratch_ / "cache");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::refused);
}

}  // namespace
}  // namespace vmpatch::repository
