// Which inputs are in the name of an answer.
#include "repository/apt/inputs.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace vmpatch::repository::apt {
namespace {

struct Sample {
  guest::ManagerFiles installed{"dpkg", {"amd64", "i386"}, {{"status", "Package: a\n"}, {"extended_states", "b"}, {"preferences.d/c", "c"}, {"apt.conf.d/d", "d"}, {"machine-id", "e\n"}}};
  ResolveRequest request{{"amd64", "i386"},
                         {{"https://example.org/", "bookworm", {"main", "contrib"}, "/r", {{"main/binary-amd64/Packages", "/p"}}, false},
                          {"https://example.org/s/", "bookworm-security", {"main"}, "/r2", {{"main/binary-amd64/Packages", "/p2"}}, true}},
                         Mode::security,
                         {"linux-*", "grub-pc"},
                         false};
  std::vector<ListedContent> lists{{sha256("r"), {{"main/binary-amd64/Packages", sha256("p")}}}, {sha256("r2"), {{"main/binary-amd64/Packages", sha256("p2")}}}};
  std::string resolver = "vm-patch-apt 1 libapt-pkg 2";
  std::string kernel = "Linux 6.1.0-18-amd64 x86_64";
  [[nodiscard]] Digest digest() const { return digest_of(Inputs{installed, request, lists, resolver, kernel}); }
};

struct Case {
  const char* name;
  std::function<void(Sample&)> change;
};

const std::vector<Case>& that_decide() {
  static const std::vector<Case> all{
      {"another package database", [](Sample& s) { s.installed.files["status"] = "Package: b\n"; }},
      {"no extended states", [](Sample& s) { s.installed.files.erase("extended_states"); }},
      {"empty extended states", [](Sample& s) { s.installed.files["extended_states"] = ""; }},
      {"another preference", [](Sample& s) { s.installed.files["preferences.d/c"] = "C"; }},
      {"preferences of another name", [](Sample& s) { s.installed.files["preferences.d/d"] = "c"; s.installed.files.erase("preferences.d/c"); }},
      {"preferences besides", [](Sample& s) { s.installed.files["preferences"] = ""; }},
      {"another setting of apt", [](Sample& s) { s.installed.files["apt.conf.d/d"] = "D"; }},
      {"an apt.conf", [](Sample& s) { s.installed.files["apt.conf"] = ""; }},
      {"a byte that moves from a name to its content", [](Sample& s) { s.installed.files.erase("apt.conf.d/d"); s.installed.files["apt.conf.d/"] = "dd"; }},
      {"a machine-id that is not withheld", [](Sample& s) { s.installed.files["machine-id"] = "f\n"; }},
      {"no machine-id", [](Sample& s) { s.installed.files.erase("machine-id"); }},
      {"a machine-id that is withheld", [](Sample& s) { s.request.machine_id_withheld = true; }},
      {"another manager", [](Sample& s) { s.installed.manager = "dpkh"; }},
      {"another architecture of the guest", [](Sample& s) { s.installed.architectures = {"i386", "amd64"}; }},
      {"fewer architectures", [](Sample& s) { s.request.architectures = {"amd64"}; }},
      {"another mode", [](Sample& s) { s.request.mode = Mode::all; }},
      {"another exclusion", [](Sample& s) { s.request.exclude[0] = "linux-?"; }},
      {"no exclusions", [](Sample& s) { s.request.exclude.clear(); }},
      {"two exclusions as one", [](Sample& s) { s.request.exclude = {"linux-*grub-pc"}; }},
      {"another address", [](Sample& s) { s.request.sources[0].uri = "https://example.net/"; }},
      {"another suite", [](Sample& s) { s.request.sources[0].suite = "trixie"; }},
      {"another component", [](Sample& s) { s.request.sources[0].components = {"main"}; }},
      {"components as one", [](Sample& s) { s.request.sources[0].components = {"maincontrib"}; }},
      {"a repository that is no longer one of security updates", [](Sample& s) { s.request.sources[1].security = false; }},
      {"a repository that is one now", [](Sample& s) { s.request.sources[0].security = true; }},
      {"repositories in another order", [](Sample& s) { std::swap(s.request.sources[0], s.request.sources[1]); std::swap(s.lists[0], s.lists[1]); }},
      {"a repository less", [](Sample& s) { s.request.sources.pop_back(); s.lists.pop_back(); }},
      {"another Release file", [](Sample& s) { s.lists[0].release = sha256("R"); }},
      {"another list", [](Sample& s) { s.lists[1].indexes["main/binary-amd64/Packages"] = sha256("P"); }},
      {"a list of another name", [](Sample& s) { s.lists[1].indexes = {{"main/binary-i386/Packages", sha256("p2")}}; }},
      {"lists that were exchanged", [](Sample& s) { std::swap(s.lists[0], s.lists[1]); }},
      {"another program or library", [](Sample& s) { s.resolver = "vm-patch-apt 1 libapt-pkg 3"; }},
      {"another kernel", [](Sample& s) { s.kernel = "Linux 6.1.0-19-amd64 x86_64"; }},
  };
  return all;
}

TEST(Inputs, each_one_that_decides_changes_the_name_of_the_answer) {
  std::set<Digest> seen{Sample().digest()};
  for (const Case& one : that_decide()) {
    Sample sample;
    one.change(sample);
    EXPECT_TRUE(seen.insert(sample.digest()).second) << one.name;
    EXPECT_EQ(sample.digest(), sample.digest()) << one.name;
  }
}

TEST(Inputs, what_does_not_decide_leaves_it_as_it_is) {
  Sample moved;
  for (SourceFiles& source : moved.request.sources) {
    source.release += ".elsewhere";
    source.indexes.clear();
  }
  EXPECT_EQ(moved.digest(), Sample().digest());
  Sample one, other, none;
  for (Sample* sample : {&one, &other, &none}) sample->request.machine_id_withheld = true;
  other.installed.files["machine-id"] = "f\n";
  none.installed.files.erase("machine-id");
  EXPECT_EQ(one.digest(), other.digest());
  EXPECT_EQ(one.digest(), none.digest());
}

TEST(Inputs, release_file_that_was_only_signed_anew_has_the_same_content) {
  const std::string text = "Origin: Debian\nDate: Mon, 30 Nov 2026 10:00:00 UTC\nValid-Until: Mon, 07 Dec 2026 10:00:00 UTC\nSuite: stable\nSHA256:\n a 1 b\n";
  const Digest content = content_of_release(text);
  EXPECT_EQ(content_of_release("Origin: Debian\nValid-Until: x\ndate: Tue, 01 Dec 2026 10:00:00 UTC\nSuite: stable\nSHA256:\n a 1 b\n"), content);
  for (const std::string& other : {std::string("Origin: Debian\nSuite: stable\nSHA256:\n a 1 c\n"), std::string("Origin: Debian\nSuite: stable\nNotAutomatic: yes\nSHA256:\n a 1 b\n"),
                                   std::string("Origin: Debian\nSuite: stable\nSHA256:\n a 1 b"), std::string("Origin: Debian\n Date: x\nSuite: stable\nSHA256:\n a 1 b\n"),
                                   std::string("Origin: Debian\nX-Date: x\nSuite: stable\nSHA256:\n a 1 b\n"), std::string()}) {
    EXPECT_NE(content_of_release(other), content) << other;
  }
}

TEST(Inputs, running_kernel_is_named) { EXPECT_TRUE(running_kernel().starts_with("Linux ")) << running_kernel(); }

}  // namespace
}  // namespace vmpatch::repository::apt
