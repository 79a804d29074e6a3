// What lists offer, by the real vm-patch-apt.
#include "repository/apt/offers.hpp"

#include <algorithm>
#include <type_traits>

#include "integration/repository/archive_fixture.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::repository::apt {
namespace {

using test::ListedPackage;
using test::packages_list;

static_assert(!std::is_copy_constructible_v<Offers> && std::is_nothrow_move_constructible_v<Offers>);

class AptOffers : public test::ArchiveTest {
 protected:
  const ListedPackage lib_{"libfoo", "amd64", "1:1.0-1+b1", "Source: foo (1:1.0-1)\nDepends: libc6,\n libbar\nDescription: text\n Package: forged\n .\n"};
  const ListedPackage foreign_{"libfoo", "i386", "1:1.0-1", "Source: foo\n"};
  const ListedPackage tool_{"tool", "all", "2.0", ""};
  const std::string list_ = packages_list({lib_, foreign_, tool_});

  [[nodiscard]] fs::path cache_of(const IndexFile& list) const { return store_.files() / (list.sha256.hex() + ".offers"); }
  [[nodiscard]] std::string refusal(const std::string& list, const std::string& name = "tool") const {
    const auto offers = Offers::load(store_, admit(list));
    if (!offers) return std::string(to_string(offers.error().code)) + ": " + offers.error().message;
    const auto found = offers->find(name);
    return found ? "it was accepted" : std::string(to_string(found.error().code)) + ": " + found.error().message;
  }
};

TEST_F(AptOffers, every_version_of_a_package_is_told_with_its_source) {
  const auto offers = Offers::load(store_, admit(list_));
  ASSERT_TRUE(offers) << offers.error().message;
  const auto found = offers->find("libfoo").value();
  ASSERT_EQ(found.size(), 2U);
  for (const Offer& offer : found) {
    const ListedPackage& listed = offer.arch == "amd64" ? lib_ : foreign_;
    EXPECT_EQ(offer.arch, listed.arch);
    EXPECT_EQ(offer.version, listed.version);
    EXPECT_EQ(offer.file, listed.file());
    EXPECT_EQ(offer.size, listed.size());
    EXPECT_EQ(offer.sha256, listed.sha256());
    EXPECT_EQ(offer.source, "foo");
    EXPECT_EQ(offer.source_version, "1:1.0-1");
  }
  const auto tool = offers->find("tool").value();
  ASSERT_EQ(tool.size(), 1U);
  EXPECT_EQ(tool[0].source, "tool");
  EXPECT_EQ(tool[0].source_version, "2.0");
  for (const char* none : {"libfo", "libfooo", "forged", "", "#"}) EXPECT_TRUE(offers->find(none).value().empty()) << none;
}

TEST_F(AptOffers, lists_in_every_compression_are_the_same) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> programs{{".xz", {"xz", "-c"}}, {".gz", {"gzip", "-nc"}}};
  for (const auto& [ending, program] : programs) {
    const auto offers = Offers::load(store_, admit(compressed(program, list_), ending));
    ASSERT_TRUE(offers) << ending << ": " << offers.error().message;
    EXPECT_EQ(offers->find("libfoo").value().size(), 2U) << ending;
  }
}

TEST_F(AptOffers, list_of_no_package_offers_nothing) {
  const auto offers = Offers::load(store_, admit(""));
  ASSERT_TRUE(offers) << offers.error().message;
  EXPECT_TRUE(offers->find("tool").value().empty());
}

TEST_F(AptOffers, they_stay_whole_when_they_are_moved) {
  std::vector<Offers> all;
  for (int i = 0; i < 5; ++i) all.push_back(Offers::load(store_, admit(list_)).value());
  for (const Offers& offers : all) EXPECT_EQ(offers.find("tool").value().at(0).file, tool_.file());
}

TEST_F(AptOffers, cache_is_used_again_and_made_again_when_it_is_damaged) {
  const IndexFile list = admit(list_);
  ASSERT_TRUE(Offers::load(store_, list));
  const std::string good = read_file(cache_of(list)).value();
  // Without the list the cache alone answers.
  fs::rename(store_.files() / list.sha256.hex(), folder_ / "aside");
  EXPECT_EQ(Offers::load(store_, list).value().find("tool").value().size(), 1U);
  ASSERT_TRUE(write_file_atomic(cache_of(list), good.substr(0, good.size() - 1)));
  EXPECT_EQ(Offers::load(store_, list).error().code, Errc::not_found);
  fs::rename(folder_ / "aside", store_.files() / list.sha256.hex());
  std::string other = good;
  other.replace(other.find("2.0"), 3, "9.0");
  for (const std::string& damaged : {std::string(), std::string("x"), good.substr(0, good.size() / 2), good + "\n", other, "vm-patch/offers/v0" + good.substr(18)}) {
    ASSERT_TRUE(write_file_atomic(cache_of(list), damaged));
    const auto offers = Offers::load(store_, list);
    ASSERT_TRUE(offers) << offers.error().message;
    EXPECT_EQ(offers->find("tool").value().at(0).version, "2.0");
    EXPECT_EQ(read_file(cache_of(list)).value(), good);
  }
}

TEST_F(AptOffers, tampered_list_is_untrusted) {
  const IndexFile list = admit(list_);
  ASSERT_TRUE(write_file_atomic(store_.files() / list.sha256.hex(), packages_list({tool_})));
  EXPECT_EQ(Offers::load(store_, list).error().code, Errc::untrusted);
}

TEST_F(AptOffers, package_without_digest_or_size_is_untrusted_when_it_is_asked_for) {
  std::string list = list_;
  list.replace(list.rfind("SHA256:"), 6, "SHA1");
  EXPECT_EQ(refusal(list), "untrusted: package tool 2.0 has no size or no SHA-256 in its list");
  EXPECT_EQ(refusal(list, "libfoo"), "it was accepted");
  list = list_;
  list.replace(list.rfind("Size: "), 6, "Size: -");
  EXPECT_EQ(refusal(list), "untrusted: package tool 2.0 has no size or no SHA-256 in its list");
}

TEST_F(AptOffers, lists_that_are_none_are_failed) {
  for (const std::string& list : {std::string("Version: 1\nArchitecture: all\n\n"), std::string("Package: x\n\n"), std::string("Package: a\tb\nVersion: 1\n\n"),
                                  std::string("Package: a\nVersion: 1\nFilename: a\n b\n\n")}) {
    EXPECT_TRUE(refusal(list).starts_with("failed: ")) << list << refusal(list);
  }
}

TEST_F(AptOffers, list_that_is_cut_off_or_no_archive_of_its_kind_is_failed) {
  const std::string whole = compressed({"xz", "-c"}, list_);
  for (const std::string& content : {whole.substr(0, whole.size() / 2), whole.substr(0, 20), list_, std::string("x")}) {
    const auto offers = Offers::load(store_, admit(content, ".xz"));
    ASSERT_FALSE(offers) << content.size();
    EXPECT_EQ(offers.error().code, Errc::failed);
  }
}

}  // namespace
}  // namespace vmpatch::repository::apt
