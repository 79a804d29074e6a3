// A resolver that lies, against lists that the real vm-patch-apt has read.
#include "repository/apt/check.hpp"

#include "integration/repository/archive_fixture.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::repository::apt {
namespace {

using test::ListedPackage;
using test::packages_list;

std::string installed(const std::string& name, const std::string& arch, const std::string& version, const std::string& more = "") {
  return "Package: " + name + "\nStatus: install ok installed\nVersion: " + version + "\nArchitecture: " + arch + "\n" + more + "\n";
}

class AptCheck : public test::ArchiveTest {
 protected:
  const ListedPackage lib_{"libfoo", "amd64", "1.1", "Source: foo (1.1-src)\n"};
  const ListedPackage foreign_{"libfoo", "i386", "1.1", ""};
  const ListedPackage tool_{"tool", "all", "2.0", ""};
  const ListedPackage old_tool_{"tool", "all", "0.5", ""};
  const ListedPackage extra_{"extra", "amd64", "1.0", ""};
  const ListedPackage fix_{"libfoo", "amd64", "1.1", "", "security"};  // the same package in another place

  Snapshot snapshot_{{suite("bookworm", false,
                            {{"main/binary-amd64/Packages", admit(packages_list({lib_, foreign_, old_tool_}))}, {"contrib/binary-amd64/Packages", admit(packages_list({tool_, extra_}))}}),
                      suite("bookworm-security", true, {{"main/binary-amd64/Packages", admit(packages_list({fix_}))}})}};
  guest::ManagerFiles guest_{"dpkg",
                             {"amd64", "i386"},
                             {{"status", installed("dpkg", "amd64", "1.21") + installed("libfoo", "amd64", "1.0") + installed("tool", "amd64", "1.0", "Essential: yes\n") +
                                             installed("gone", "all", "3") + "Package: half\nStatus: install ok half-configured\nVersion: 1\nArchitecture: amd64\n\n" +
                                             "Package: left\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n"}}};

  static Json change(const ListedPackage& package, const std::string& from, std::size_t source) {
    return Json{{"name", package.name}, {"from", from}, {"essential", false}, {"arch", package.arch}, {"to", package.version}, {"security", false}, {"downgrade", false},
                {"because", ""}, {"source", source}, {"file", package.file()}, {"size", package.size()}, {"sha256", package.sha256().hex()}, {"installed_size", 0}};
  }
  static Json removal(const std::string& name, const std::string& arch, const std::string& from) {
    return Json{{"name", name}, {"from", from}, {"essential", false}, {"arch", arch}, {"to", ""}, {"because", ""}};
  }
  static Json operation(const char* kind, const std::string& name, const std::string& arch = "amd64") { return Json{{"do", kind}, {"name", name}, {"arch", arch}}; }
  static Json answer(const std::vector<Json>& changes, const std::vector<Json>& operations) {
    return Json{{"schema", "vm-patch/apt-answer/v1"}, {"changes", changes}, {"operations", operations}, {"kept", Json::array()}, {"unknown", Json::array()},
                {"unneeded", Json::array()}};
  }
  static std::vector<Json> install(const std::string& name) { return {operation("unpack", name), operation("configure", name)}; }

  Result<Update> check(const Json& json, Mode mode = Mode::all) const { return checked_update(dump_json(json), guest_, snapshot_, mode, offers_); }
  std::string refusal(const Json& json, Mode mode = Mode::all) const {
    const auto update = check(json, mode);
    if (update) return "it was accepted";
    EXPECT_EQ(update.error().code, Errc::untrusted) << update.error().message;
    return update.error().message;
  }

  mutable AllOffers offers_{store_};
  Json upgrade_ = change(lib_, "1.0", 0);
  const std::string not_offered_ = "the resolver takes libfoo 1.1 from debian bookworm, whose verified lists do not offer it like that";
  const std::string not_made_ = "the resolver's operations do not make its changes";
};

TEST_F(AptCheck, honest_answer_becomes_an_update_with_what_the_lists_say) {
  const auto update = check(answer({upgrade_, change(tool_, "1.0", 0), change(extra_, "", 0), removal("gone", "all", "3")},
                                   {operation("remove", "gone"), operation("unpack", "libfoo"), operation("unpack", "extra"), operation("configure", "libfoo"),
                                    operation("unpack", "tool"), operation("configure", "extra"), operation("configure", "tool")}));
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_EQ(update->snapshot, snapshot_.digest());
  EXPECT_EQ(update->mode, Mode::all);
  ASSERT_EQ(update->changes.size(), 4U);
  EXPECT_EQ(update->changes[0].repository, "debian");
  EXPECT_EQ(update->changes[0].suite, "bookworm");
  EXPECT_EQ(update->changes[0].source, "foo");
  EXPECT_EQ(update->changes[0].source_version, "1.1-src");
  EXPECT_EQ(update->changes[0].sha256, lib_.sha256());
  EXPECT_EQ(update->changes[1].source, "tool");
  EXPECT_EQ(update->changes[3].repository, "");
  EXPECT_EQ(update->operations.size(), 7U);
  EXPECT_EQ(update->download_size(), lib_.size() + tool_.size() + extra_.size());
}

TEST_F(AptCheck, answer_without_changes_is_an_update_without_changes) {
  const auto update = check(answer({}, {}), Mode::security);
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_TRUE(update->changes.empty());
  EXPECT_EQ(update->mode, Mode::security);
}

TEST_F(AptCheck, package_that_the_lists_do_not_offer_like_that_is_untrusted) {
  const std::vector<std::pair<const char*, Json>> lies{{"sha256", sha256("another").hex()}, {"size", lib_.size() + 1}, {"file", "pool/other.deb"}, {"file", fix_.file()},
                                                       {"to", "1.2"}, {"to", "1.1~"}};
  for (const auto& [key, value] : lies) {
    Json lie = upgrade_;
    lie[key] = value;
    EXPECT_TRUE(refusal(answer({lie}, install("libfoo"))).starts_with("the resolver takes libfoo ")) << key;
  }
  Json lie = upgrade_;
  lie["sha256"] = sha256("another").hex();
  EXPECT_EQ(refusal(answer({lie}, install("libfoo"))), not_offered_);
  lie = change(ListedPackage{"never", "amd64", "1", ""}, "", 0);
  EXPECT_EQ(refusal(answer({lie}, install("never"))), "the resolver takes never 1 from debian bookworm, whose verified lists do not offer it like that");
  // Offered for another architecture, or by another suite.
  lie = change(foreign_, "", 0);
  lie["arch"] = "armhf";
  EXPECT_TRUE(refusal(answer({lie}, install("libfoo"))).starts_with("the resolver takes libfoo 1.1 from debian bookworm,"));
  lie = change(extra_, "", 1);
  EXPECT_TRUE(refusal(answer({lie}, install("extra"))).starts_with("the resolver takes extra 1.0 from debian bookworm-security,"));
}

TEST_F(AptCheck, repository_that_is_not_there_is_untrusted) {
  for (const std::size_t source : {std::size_t{2}, std::size_t{1} << 40U}) {
    Json lie = upgrade_;
    lie["source"] = source;
    EXPECT_EQ(refusal(answer({lie}, install("libfoo"))), "the resolver takes libfoo from a repository that is not there");
  }
}

TEST_F(AptCheck, what_is_installed_is_what_the_database_says) {
  const auto with = [&](const char* key, const char* value) {
    Json lie = upgrade_;
    lie[key] = value;
    return refusal(answer({lie}, install("libfoo")));
  };
  EXPECT_EQ(with("from", "0.9"), "the resolver says that of libfoo amd64 there is 0.9, and by the guest's database there is 1.0");
  // A new package would be no downgrade of the installed one.
  EXPECT_EQ(with("from", ""), "the resolver says that of libfoo amd64 there is none, and by the guest's database there is 1.0");
  EXPECT_EQ(with("arch", "i386"), "the resolver says that of libfoo i386 there is 1.0, and by the guest's database there is none");
  EXPECT_EQ(refusal(answer({change(extra_, "1.0", 0)}, install("extra"))), "the resolver says that of extra amd64 there is 1.0, and by the guest's database there is none");
  EXPECT_EQ(refusal(answer({removal("gone", "all", "4")}, {operation("remove", "gone")})),
            "the resolver says that of gone all there is 4, and by the guest's database there is 3");
  EXPECT_EQ(refusal(answer({removal("left", "amd64", "1")}, {operation("purge", "left")})),
            "the resolver says that of left amd64 there is 1, and by the guest's database there is none");
  EXPECT_EQ(refusal(answer({removal("never", "amd64", "")}, {operation("remove", "never")})), "the resolver removes never, which is not there");
}

TEST_F(AptCheck, foreign_architecture_beside_the_own_one_is_a_new_package) {
  const auto update = check(answer({upgrade_, change(foreign_, "", 0)},
                                   {operation("unpack", "libfoo"), operation("unpack", "libfoo", "i386"), operation("configure", "libfoo"), operation("configure", "libfoo", "i386")}));
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_EQ(update->changes.size(), 2U);
}

TEST_F(AptCheck, package_that_changes_to_all_architectures_is_the_installed_one) {
  const auto update = check(answer({change(tool_, "1.0", 0)}, install("tool")));
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_TRUE(refusal(answer({change(tool_, "", 0)}, install("tool"))).starts_with("the resolver says that of tool all there is none"));
}

TEST_F(AptCheck, one_package_changes_once) {
  EXPECT_EQ(refusal(answer({upgrade_, upgrade_}, {operation("unpack", "libfoo"), operation("unpack", "libfoo"), operation("configure", "libfoo")})),
            "the resolver changes libfoo amd64 twice");
  Json other = removal("tool", "amd64", "1.0");
  EXPECT_EQ(refusal(answer({change(tool_, "1.0", 0), other}, {})), "the resolver changes tool amd64 twice");
}

TEST_F(AptCheck, flags_are_those_of_lists_and_database_whatever_the_resolver_says) {
  for (const bool lie : {false, true}) {
    Json security = change(fix_, "1.0", 1), same = upgrade_, tool = change(tool_, "1.0", 0), old = change(old_tool_, "1.0", 0);
    for (Json* one : {&security, &same, &tool, &old}) {
      (*one)["security"] = lie;
      (*one)["downgrade"] = lie;
    }
    EXPECT_TRUE(check(answer({security}, install("libfoo"))).value().changes[0].security);
    // Taken from elsewhere, it is the security update all the same.
    EXPECT_TRUE(check(answer({same}, install("libfoo"))).value().changes[0].security);
    const Update newer = check(answer({tool}, install("tool"))).value();
    EXPECT_FALSE(newer.changes[0].security);
    EXPECT_FALSE(newer.changes[0].downgrade);
    EXPECT_TRUE(newer.changes[0].essential);
    EXPECT_TRUE(check(answer({old}, install("tool"))).value().changes[0].downgrade);
  }
  EXPECT_TRUE(check(answer({removal("tool", "amd64", "1.0")}, {operation("remove", "tool")})).value().changes[0].essential);
  EXPECT_FALSE(check(answer({removal("gone", "all", "3")}, {operation("remove", "gone")})).value().changes[0].essential);
}

TEST_F(AptCheck, security_mode_changes_what_is_installed_by_security_updates_alone) {
  EXPECT_TRUE(check(answer({change(fix_, "1.0", 1), change(extra_, "", 0)}, {operation("unpack", "libfoo"), operation("unpack", "extra"), operation("configure", "libfoo"),
                                                                              operation("configure", "extra")}), Mode::security));
  EXPECT_EQ(refusal(answer({change(tool_, "1.0", 0)}, install("tool")), Mode::security), "the resolver changes tool 1.0 to 2.0, which is no security update");
  EXPECT_EQ(refusal(answer({removal("gone", "all", "3")}, {operation("remove", "gone")}), Mode::security),
            "the resolver changes gone 3 to none, which is no security update");
}

TEST_F(AptCheck, operations_that_do_not_make_the_changes_are_untrusted) {
  const std::vector<std::vector<Json>> lies{
      {},
      {operation("unpack", "libfoo")},
      {operation("configure", "libfoo")},
      {operation("unpack", "libfoo"), operation("unpack", "libfoo"), operation("configure", "libfoo")},
      {operation("unpack", "libfoo"), operation("configure", "libfoo"), operation("unpack", "extra")},
      {operation("unpack", "libfoo"), operation("configure", "libfoo"), operation("configure", "gone")},
      {operation("unpack", "libfoo"), operation("configure", "libfoo"), operation("remove", "gone")},
      {operation("unpack", "libfoo"), operation("configure", "libfoo"), operation("purge", "tool")},
      {operation("unpack", "tool"), operation("configure", "tool")},
  };
  for (std::size_t i = 0; i < lies.size(); ++i) EXPECT_EQ(refusal(answer({upgrade_}, lies[i])), not_made_) << i;
  EXPECT_EQ(refusal(answer({}, {operation("remove", "gone")})), not_made_);
  EXPECT_EQ(refusal(answer({removal("gone", "all", "3")}, {})), not_made_);
  EXPECT_EQ(refusal(answer({removal("gone", "all", "3")}, {operation("configure", "gone")})), not_made_);
}

TEST_F(AptCheck, package_that_is_removed_for_a_moment_and_unfinished_ones_that_are_configured_are_honest) {
  EXPECT_TRUE(check(answer({upgrade_}, {operation("remove", "libfoo"), operation("unpack", "libfoo"), operation("configure", "libfoo")})));
  EXPECT_TRUE(check(answer({upgrade_}, {operation("unpack", "libfoo"), operation("configure", "half"), operation("configure", "libfoo")})));
  EXPECT_TRUE(check(answer({}, {operation("configure", "half")})));
  EXPECT_TRUE(check(answer({removal("gone", "all", "3")}, {operation("purge", "gone")})));
}

TEST_F(AptCheck, what_is_no_answer_or_no_database_is_failed) {
  EXPECT_EQ(checked_update("", guest_, snapshot_, Mode::all, offers_).error().code, Errc::failed);
  EXPECT_EQ(checked_update("{}", guest_, snapshot_, Mode::all, offers_).error().code, Errc::failed);
  guest::ManagerFiles none = guest_;
  none.files.erase("status");
  const auto update = checked_update(dump_json(answer({}, {})), none, snapshot_, Mode::all, offers_);
  ASSERT_FALSE(update);
  EXPECT_EQ(update.error().message, "the guest's package database is missing");
}

TEST_F(AptCheck, list_that_was_tampered_with_is_untrusted) {
  const IndexFile& list = snapshot_.suites[0].indexes.at("main/binary-amd64/Packages");
  std::ofstream(store_.files() / list.sha256.hex()) << packages_list({lib_, tool_});
  const auto update = check(answer({upgrade_}, install("libfoo")));
  ASSERT_FALSE(update);
  EXPECT_EQ(update.error().code, Errc::untrusted);
  EXPECT_NE(update.error().message.find("has another content than its name says"), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::repository::apt
